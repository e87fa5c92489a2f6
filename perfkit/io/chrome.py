"""Chrome traces as Kineto writes them, read into `Events`: fast where sound, patient where not.

Whatever had to be mended or dropped is told in `Events.gaps`; a file that is no trace at all is
one `PerfkitError`. Flow arrows, instants and metadata events are not kept.
"""

from __future__ import annotations

from pathlib import Path

from perfkit.io._chunks import BUDGET, Document, collector_paused
from perfkit.io._columns import Columns
from perfkit.io._repairs import Repairs
from perfkit.io._text import Progress
from perfkit.model.events import Events


def read_trace(
    source: Path | str,
    *,
    budget: int = BUDGET,
    progress: Progress | None = None,
    shapes: bool = True,
) -> Events:
    """The intervals of one trace: a file, plain or gzip, or a URL that fsspec opens.

    Args:
        budget: bytes of the trace's text that may be held at once; a single event longer than that
            is dropped, and told. The columns come on top: about 90 bytes per event.
        shapes: False leaves the operators' recorded arguments out: who asks for no costs reads a
            tenth faster.
        progress: called with the bytes read so far and the file's size (None if unknown).

    Raises:
        PerfkitError: unreadable, empty, or not a trace.
    """
    repairs = Repairs()
    found = Document(source, budget, progress)
    with collector_paused():
        columns = Columns(repairs, shapes)
        for chunk in found.chunks(repairs):
            columns.add(chunk)
        return columns.events(found.metadata)

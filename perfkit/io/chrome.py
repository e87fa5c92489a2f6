"""Chrome traces as Kineto writes them, read into `Events`: fast where sound, patient where not.

Whatever had to be mended or dropped is told in `Events.gaps`; a file that is no trace at all is
one `PerfkitError`. Flow arrows, instants and metadata events are not kept.
"""

from __future__ import annotations

from pathlib import Path

from perfkit.io._chunks import collector_paused, document
from perfkit.io._columns import Columns
from perfkit.io._repairs import Repairs
from perfkit.io._text import read_text
from perfkit.model.events import Events


def read_trace(path: Path | str) -> Events:
    """The intervals of one trace file, plain or gzip.

    Raises:
        PerfkitError: unreadable, empty, or not a trace.
    """
    path = Path(path)
    repairs = Repairs()
    with collector_paused():
        found = document(read_text(path, repairs), str(path), repairs)
        columns = Columns(repairs)
        for chunk in found.chunks(repairs):
            columns.add(chunk)
        return columns.events(found.metadata)

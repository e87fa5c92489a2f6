"""The instrument of light steps: a Kineto trace, and what is read out of it."""

from __future__ import annotations

from pathlib import Path

from perfkit.base.errors import PerfkitError
from perfkit.capture.kineto import ORIGINAL, KinetoTrace
from perfkit.io.chrome import read_trace
from perfkit.io.trace_ops import trace_ops
from perfkit.io.trace_syncs import trace_syncs
from perfkit.model.events import Events
from perfkit.model.run import Gap, OpStat
from perfkit.model.syncs import Sync

# Compressed bytes per dispatched operator: some three nested events of 20 bytes, and the original.
_BYTES_PER_OP = 120


def affordable_steps(ops_per_step: int, max_bytes: int) -> int:
    """How many light steps a trace of `max_bytes` holds, at least one."""
    return max(1, max_bytes // (1 + ops_per_step * _BYTES_PER_OP))


class Light:
    """One trace of consecutive light steps.

    Attributes:
        file: name of the trace in the run directory once it is there.
        ops: operators and kernels of all light steps together.
        events: the whole trace as it was read, for the analyses; None where it was not.
        waits: the host's waits for a GPU as the trace shows them; steps count from the first light one.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._trace: KinetoTrace | None = None
        self._running = False
        self._written: list[Path] = []
        self._notes: dict[Gap, None] = {}
        self.file: str | None = None
        self.ops: tuple[OpStat, ...] = ()
        self.waits: tuple[Sync, ...] = ()
        self.events: Events | None = None

    def on(self) -> None:
        """A light step begins."""
        self._trace = KinetoTrace()
        self._trace.start()
        self._running = True

    def step(self) -> None:
        """A light step ended and another begins."""
        if self._trace is not None:
            self._trace.step()

    def off(self) -> None:
        """The light steps end; the trace stays in memory until `export`."""
        if self._trace is not None and self._running:
            self._running = False
            self._trace.stop()

    def drop(self) -> None:
        """Forget what was traced: it was no step."""
        self.off()
        self._trace, self.file, self.ops, self.waits, self.events = None, None, (), (), None
        self._notes.clear()
        self._remove()

    def export(self, directory: Path, worker: str) -> None:
        """Write the trace into the run directory and read the operators; too large a file goes again."""
        if self._trace is None or self._running:
            return
        trace, self._trace = self._trace, None
        name = trace.export(directory, worker)
        self._notes.update(dict.fromkeys(trace.gaps))
        if name is None:
            return
        self._written = [directory / name, directory / ORIGINAL]
        try:
            events = read_trace(directory / name)
            self.ops, self.waits, self.events = trace_ops(events), trace_syncs(events), events
        except PerfkitError as error:
            self._notes[Gap("operators", f"the trace cannot be read: {error.message}")] = None
        size = sum(path.stat().st_size for path in self._written if path.exists())
        if size <= self._max_bytes:
            self.file = name
            return
        self._remove()
        reason = f"it took {size} bytes, more than --max-bytes {self._max_bytes}"
        self._notes[Gap("the trace file", reason)] = None

    def gaps(self) -> tuple[Gap, ...]:
        """What the trace could not see, and why it may be missing."""
        return tuple(self._notes)

    def _remove(self) -> None:
        for path in self._written:
            path.unlink(missing_ok=True)
        self._written = []

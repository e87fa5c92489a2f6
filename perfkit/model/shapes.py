"""What a trace says of its operators' arguments: a side table, since only some events have any."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


def _none() -> npt.NDArray[np.int64]:
    return np.zeros(0, np.int64)


def _no_codes() -> npt.NDArray[np.int32]:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class Shapes:
    """Operators with recorded arguments; empty where the trace was made without record_shapes=True.

    Attributes:
        rows: rows in the events, ascending.
        code: for each of them an index into `texts`: a few hundred signatures serve all calls.
        texts: signatures as they stand in the trace, see `io.trace_shapes.signature`.
    """

    rows: npt.NDArray[np.int64] = field(default_factory=_none)
    code: npt.NDArray[np.int32] = field(default_factory=_no_codes)
    texts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def self_check(self, events: int) -> None:
        """Raise AssertionError unless this fits a trace of so many events."""
        assert len(self.rows) == len(self.code)
        assert bool((np.diff(self.rows) > 0).all())
        if len(self):
            assert 0 <= int(self.rows[0]) <= int(self.rows[-1]) < events
            assert 0 <= int(self.code.min()) <= int(self.code.max()) < len(self.texts)

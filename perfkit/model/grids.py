"""How kernels were launched: a side table, since only kernels have it, and not in every trace."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


def _none() -> npt.NDArray[np.int64]:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Grids:
    """Kernels whose grid the trace tells; empty where it tells none. -1 is "not told".

    Attributes:
        rows: rows in the events, ascending.
        blocks: of the whole grid. threads: of one block.
        occupancy: Kineto's estimate of the share of warps that are resident, percent.
    """

    rows: npt.NDArray[np.int64] = field(default_factory=_none)
    blocks: npt.NDArray[np.int64] = field(default_factory=_none)
    threads: npt.NDArray[np.int64] = field(default_factory=_none)
    occupancy: npt.NDArray[np.int64] = field(default_factory=_none)

    def __len__(self) -> int:
        return len(self.rows)

    def self_check(self, events: int) -> None:
        """Raise AssertionError unless this fits a trace of so many events."""
        assert len(self.rows) == len(self.blocks) == len(self.threads) == len(self.occupancy)
        assert bool((np.diff(self.rows) > 0).all())
        assert not len(self) or 0 <= int(self.rows[0]) <= int(self.rows[-1]) < events
        assert bool((self.blocks > 0).all())

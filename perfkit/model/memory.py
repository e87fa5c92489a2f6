"""Device memory of a step as it was recorded live: what was alive at the peak, and what outlived it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from perfkit.model.syncs import Frame, Phase

Category = Literal[
    "parameters",
    "gradients",
    "optimizer state",
    "saved for backward",
    "temporaries",
    "inputs",
    "kept from before",
]
"""`parameters` are with buffers; `inputs` came from elsewhere during the step (batches); `kept from
before` is what lay on the device when the step began and is none of the first three: caches, what
earlier steps left behind (on a real GPU that cannot be told from inputs). `temporaries` were made by
the step and nobody saved them for its backward."""


@dataclass(frozen=True)
class Held:
    """Tensors of one category and one place.

    Attributes:
        nbytes: of their storages, each counted once, without what the allocator rounds up.
        tensors: how many storages.
        op: that made the largest; empty where it was made elsewhere.
        module, place: that saved them for backward, else made them; None where not known, and for
            parameters, gradients and optimizer state, which are told as a whole.
        maker: the module that made what another one saved; None where not known.
    """

    category: Category
    nbytes: int
    tensors: int
    op: str = ""
    module: str | None = None
    place: Frame | None = None
    maker: str | None = None


@dataclass(frozen=True)
class StepMemory:
    """Of one deep step.

    Attributes:
        peak_bytes: the most that was alive at once.
        phase, op, module, place: what had just allocated then.
        held: everything alive at the peak, largest first; it sums to `peak_bytes`.
        left: what this step saved for backward and is still saved at its end.
        zeroed: gradients that were filled with zeros instead of being let go, by the line.
        stale_bytes: gradients of an earlier step, alive in a forward, that nothing was added to.
        dropped_at: where these were let go at last; None where they were not.
        trained: a backward ran in the step.
    """

    peak_bytes: int
    phase: Phase | None = None
    op: str = ""
    module: str | None = None
    place: Frame | None = None
    held: tuple[Held, ...] = ()
    left: tuple[Held, ...] = ()
    zeroed: tuple[Held, ...] = ()
    stale_bytes: int = 0
    dropped_at: Frame | None = None
    trained: bool = False

    def bytes_of(self, category: Category) -> int:
        """At the peak."""
        return sum(each.nbytes for each in self.held if each.category == category)

    def self_check(self) -> None:
        """Raise AssertionError unless what is held sums to the peak, largest first."""
        sizes = [each.nbytes for each in self.held]
        assert sum(sizes) == self.peak_bytes
        assert sizes == sorted(sizes, reverse=True)


@dataclass(frozen=True)
class Memory:
    """What was recorded of device memory.

    Attributes:
        step: the step that was looked at closely; None where none was.
        after: (index of the step, bytes alive at its end), in order; empty where nobody counts them.
    """

    step: StepMemory | None = None
    after: tuple[tuple[int, int], ...] = ()

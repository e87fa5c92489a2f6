"""Evidence of host-device synchronisation, as plain data.

A *sync* is a place where the host waits for the device. Evidence about one sync from several
detectors is joined on ATen op + file:line (`analysis.sync_points`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["d2h", "h2d", "none"]
Phase = Literal["forward", "backward", "other"]

COPY_KINDS = frozenset({"h2d", "h2d_pageable_async", "d2h", "d2h_pageable_async"})


def is_copy_kind(kind: str, direction: str) -> bool:
    """A blocking copy, as opposed to a wait for a value."""
    return direction == "h2d" or kind in COPY_KINDS


@dataclass(frozen=True, order=True)
class Frame:
    """One Python frame. `file` is absolute, as Python knows it; `line` counts from 1."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Sync:
    """One kind of sync at one place in one step, seen `count` times.

    Attributes:
        op: the ATen operator, `aten::nonzero`, or the API call, `torch.cuda.synchronize`.
        kind: name of its page in `perfkit/catalogue`.
        direction: which way data moves: `d2h`, `h2d`, or `none` where only the host waits.
        stack: Python frames, innermost first, torch's own left out; `stack[0]` is the site.
            Empty where no Python frame was found.
        caller: the user's own frame when the site lies in an installed library.
        step: index of the step; None for set-up (before the first complete step).
        count: how many times.
        certain: False where it depends on versions, drivers or values that were not visible.
        nbytes: bytes moved, all counts together; None where unknown.
        blocked_ns: how long the host waited, all counts together; None where not observable.
        idle_ns: how long the device then had no work, all counts together; None where not observable.
        lost_ns: the part of it that removing the waits can win; None where not observable.
        fix: the one-line advice for this kind with these arguments.
        seen_by: names of the detectors that saw it.
        region: innermost `perfkit.instrument` region, if any.
    """

    op: str
    kind: str
    direction: Direction
    phase: Phase
    stack: tuple[Frame, ...]
    step: int | None
    count: int
    certain: bool = True
    caller: Frame | None = None
    nbytes: int | None = None
    blocked_ns: int | None = None
    idle_ns: int | None = None
    lost_ns: int | None = None
    fix: str = ""
    seen_by: tuple[str, ...] = field(default_factory=tuple)
    region: str | None = None

    @property
    def site(self) -> Frame | None:
        return self.stack[0] if self.stack else None

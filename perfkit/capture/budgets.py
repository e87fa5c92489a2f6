"""Counting against a limit, line by line: the arithmetic and the words of `perfkit.guard`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from perfkit.base.units import nbytes as in_bytes
from perfkit.detectors.evidence import Hit
from perfkit.detectors.places import Place, resolve

_LINES = 8
_allowed = threading.local()


class BudgetError(AssertionError):
    """More than a guard allows; the text names lines and fixes."""


class SyncBudgetError(BudgetError):
    """More host-device synchronisations than the guard allows."""


class LaunchBudgetError(BudgetError):
    """More operators on the device than the guard allows."""


class CopyBudgetError(BudgetError):
    """More bytes copied to the device than the guard allows."""


@dataclass
class Count:
    """Something counted by line.

    Attributes:
        limit: how much is allowed; None for any amount.
        total: what was counted so far.
        lines: amount per description of a line.
    """

    limit: int | None = None
    total: int = 0
    lines: dict[str, int] = field(default_factory=dict)

    @property
    def exceeded(self) -> bool:
        return self.limit is not None and self.total > self.limit

    @property
    def costliest(self) -> str | None:
        """The line with the largest amount; None where nothing was counted."""
        return max(self.lines, key=lambda line: self.lines[line], default=None)

    def add(self, line: str, amount: int) -> None:
        self.total += amount
        self.lines[line] = self.lines.get(line, 0) + amount


class Syncs(Count):
    """A sink that counts the hits of one thread and raises at the line that goes over the limit."""

    def __init__(self, limit: int | None, uncertain: bool) -> None:
        super().__init__(limit)
        self._uncertain = uncertain
        self._thread = threading.get_ident()

    def __call__(self, hit: Hit) -> None:
        mine = hit.backward or threading.get_ident() == self._thread
        if not mine or is_allowed() or not (hit.certain or self._uncertain):
            return
        backward = " (in backward)" if hit.backward else ""
        self.add(f"{hit.op} at {where(hit.place)}{backward}: {hit.fix}", hit.count)
        self.check()

    def check(self) -> None:
        """Raise where the limit is exceeded.

        Raises:
            SyncBudgetError: with all lines so far, in the order in which they came.
        """
        if self.exceeded:
            allowed = "none is" if self.limit == 0 else f"{self.limit} are"
            lines = "\n".join(f"  {count} x {line}" for line, count in self.lines.items())
            raise SyncBudgetError(
                f"{self.total} host-device synchronisations where {allowed} allowed:\n{lines}"
            )


class Launches(Count):
    """Operators on the device, by line."""

    def __init__(self, limit: int | None) -> None:
        super().__init__(limit)
        self._at: dict[tuple[Place, str], int] = {}

    def __call__(self, op: str, place: Place, amount: int, fix: str) -> None:
        self._at[place, op] = self._at.get((place, op), 0) + amount  # words only at the end

    def settle(self) -> None:
        """Put what was counted into words."""
        for (place, op), amount in self._at.items():
            self.add(f"{op} at {where(place)}", amount)
        self._at.clear()

    def check(self) -> None:
        """Raise where the limit is exceeded.

        Raises:
            LaunchBudgetError: with the lines that launch most.
        """
        if self.exceeded:
            raise LaunchBudgetError(
                f"{self.total} operators on the device where {self.limit} are allowed:\n"
                f"{_most(self, 'x', str)}\n"
                "Do more per operator: batch the loop, torch._foreach_* and fused=True in optimisers, "
                "torch.compile, a CUDA graph; `perfkit profile` names the rewrite for a line."
            )


class Copies(Count):
    """Bytes copied to the device, by line."""

    def __call__(self, op: str, place: Place, amount: int, fix: str) -> None:
        self.add(f"{op} at {where(place)}: {fix}", amount)

    def check(self) -> None:
        """Raise where the limit is exceeded.

        Raises:
            CopyBudgetError: with the lines that send most.
        """
        if self.exceeded:
            raise CopyBudgetError(
                f"{self.total} bytes copied to the device where {self.limit} are allowed:\n"
                f"{_most(self, 'by', in_bytes)}"
            )


def where(place: Place) -> str:
    """The innermost frame in words."""
    frames = resolve(place)
    return f"{frames[0]} in {frames[0].function}" if frames else "an unknown line"


def is_allowed() -> bool:
    """Whether this thread is inside `allow_sync`."""
    return getattr(_allowed, "depth", 0) > 0


def allow(change: int) -> None:
    """Enter (1) or leave (-1) a region of this thread whose synchronisations are meant."""
    _allowed.depth = getattr(_allowed, "depth", 0) + change


def _most(count: Count, words: str, shown: Callable[[int], str]) -> str:
    ranked = sorted(count.lines.items(), key=lambda item: -item[1])
    lines = [f"  {shown(amount)} {words} {line}" for line, amount in ranked[:_LINES]]
    if len(ranked) > _LINES:
        lines.append(f"  and {len(ranked) - _LINES} lines more")
    return "\n".join(lines)

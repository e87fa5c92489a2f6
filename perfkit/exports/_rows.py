"""Slices onto rows on which they only nest or follow each other, which is all that Perfetto draws."""

from __future__ import annotations

from collections.abc import Sequence

ROUNDING_NS = 1_000


class Rows:
    """The rows of one track; slices come in order of their start, the longer first at the same one."""

    def __init__(self) -> None:
        self._open: list[list[int]] = []

    def place(self, start_ns: int, end_ns: int, rounding_ns: int = 0) -> tuple[int, int]:
        """The row on which the slice fits, and where it ends there.

        It ends earlier, by `rounding_ns` at most, where that lets it nest on the first row.
        """
        for row, ends in enumerate(self._open):
            while ends and ends[-1] <= start_ns:
                ends.pop()
            if not ends or end_ns <= ends[-1]:
                ends.append(end_ns)
                return row, end_ns
            if row == 0 and end_ns - ends[-1] <= rounding_ns:
                ends.append(ends[-1])
                return row, ends[-1]
        self._open.append([end_ns])
        return len(self._open) - 1, end_ns


def crossings(slices: Sequence[tuple[int, int]]) -> int:
    """How many of these `(start, end)` cross the end of one that is open when they start."""
    found = 0
    open_ends: list[int] = []
    for start, end in sorted(slices, key=lambda each: (each[0], -each[1])):
        while open_ends and open_ends[-1] <= start:
            open_ends.pop()
        if open_ends and end > open_ends[-1]:
            found += 1
        else:
            open_ends.append(end)
    return found

"""One line of user code and what it must be told: the unit of the ground truth.

A pattern knows nothing of how syncs are found. Its expectation comes from CUDA's own behaviour; the
note says from where: [T] PyTorch's test_sync_warning, [S] a public ATen or torch source (file and
function), [H] a header shipped with torch, [P] torch's Python code, [D] the shared table's
disassembly, [PR] a public pull request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

Count = int | str
"""A number, or ">=n" where the kernel or the values decide how many."""

DIRECTION = {
    "h2d": "h2d",
    "h2d_pageable_async": "h2d",
    "synchronize": "none",
    "empty_cache": "none",
    "collective": "none",
}
"""Which way a kind moves data; every kind not named here reads from the device."""


@dataclass(frozen=True)
class Pattern:
    """One line, what surrounds it, and the syncs CUDA makes of it.

    Attributes:
        name: unique, readable.
        line: the measured line; every sync must be placed on it.
        expected: count per kind; {} must be silent. "a|b" accepts either name for one sync.
        note: where the expectation comes from.
        setup: run before anyone listens.
        frame: the code around the line, run while listening; "{line}" stands for it.
        cleanup: run afterwards, in any case.
        directions: overrides the directions that follow from the kinds; None accepts any.
        certain: what the record must say; None accepts either.
        anywhere: the site is not checked (the engine, not a line, makes the sync).
        before: first torch version (major, minor) in which this no longer holds.
        since: first torch version in which this holds.
    """

    name: str
    line: str
    expected: Mapping[str, Count]
    note: str
    setup: str = ""
    frame: str = "{line}"
    cleanup: str = ""
    directions: Mapping[str, str | None] = field(default_factory=dict)
    certain: bool | None = None
    anywhere: bool = False
    since: tuple[int, int] = (2, 6)
    before: tuple[int, int] = (99, 0)

    def holds_for(self, version: str) -> bool:
        """True when the expectation was established for this torch version ("2.13.0+cpu")."""
        major, minor = (int(part) for part in re.findall(r"\d+", version)[:2])
        return self.since <= (major, minor) < self.before

    def direction(self, kind: str) -> str | None:
        """The direction a record of this kind must show; None accepts any."""
        return self.directions.get(kind, DIRECTION.get(kind, "d2h"))


def satisfied(wanted: Count, seen: int) -> bool:
    """Does the number seen agree with the number wanted?"""
    if isinstance(wanted, str):
        return seen >= int(wanted.removeprefix(">="))
    return seen == wanted


def at_least(wanted: Count) -> int:
    """The smallest number that would satisfy."""
    return int(wanted.removeprefix(">=")) if isinstance(wanted, str) else wanted

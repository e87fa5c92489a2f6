"""Kernel names short enough for a table: a template's arguments tell less than its name and its end."""

from __future__ import annotations

_ANONYMOUS = "(anonymous namespace)::"
_TAIL = 0.3


def plain_name(name: str, limit: int = 48) -> str:
    """The telling part of a kernel's name, shortened in the middle; never empty."""
    short = name.removeprefix("void ").replace("at::native::", "").replace(_ANONYMOUS, "")
    if len(short) > limit:
        tail = int(limit * _TAIL)
        short = f"{short[: limit - tail - 1]}…{short[-tail:]}"
    return short or "–"

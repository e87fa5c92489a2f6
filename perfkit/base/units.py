"""Numbers for people. Only reports format; everything else keeps int nanoseconds and bytes."""

from __future__ import annotations


def ns(value: float | None) -> str:
    """A duration in nanoseconds, three significant digits: `1.24 ms`; `unknown` for None."""
    if value is None:
        return "unknown"
    size = abs(value)
    for limit, divisor, unit in ((1e3, 1, "ns"), (1e6, 1e3, "µs"), (1e9, 1e6, "ms")):
        if size < limit:
            return f"{_three(value / divisor)} {unit}"
    return f"{_three(value / 1e9)} s"


def nbytes(value: float | None) -> str:
    """A size in bytes with binary units: `1.5 MiB`; `unknown` for None."""
    if value is None:
        return "unknown"
    size = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{_three(size)} {unit}"
        size /= 1024
    return f"{_three(size)} TiB"


def count(value: float) -> str:
    """A count per step: whole where it is whole, else one decimal (`2.5`)."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def ratio(value: float | None) -> str:
    """A ratio to something: `1.08x`; `unknown` for None."""
    return "unknown" if value is None else f"{_three(value)}x"


def share(value: float) -> str:
    """A share as a percentage that is 0% or 100% only where it is exactly that: `47%`, `<1%`."""
    if 0 < value < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= value < 1 else f"{value:.0%}"


def _three(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

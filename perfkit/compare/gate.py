"""`--fail-if`: what a later run may not do worse than an earlier one.

A limit is `slower=5%`, or `syncs`, `copies`, `launches` or `findings` with `=+N` or `=+N%`. It is broken
where the change reaches it. A step counts as slower only where that is measurable. What cannot be judged
does not hold: a gate that could not look must not look open. Under the pretence `slower` is about this
CPU's time, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from perfkit.base.errors import PerfkitError
from perfkit.compare.comparison import Comparison

COUNTS = ("syncs", "copies", "launches", "findings")
_LIMIT = re.compile(r"(\w+)=\+?(\d+(?:\.\d+)?)(%?)")
_ROUNDING = 1e-9
_CPU_TIME = "time on this CPU, which is no test of CUDA: limit syncs, copies or launches"


@dataclass(frozen=True)
class Limit:
    """How much worse is too much: an amount, or a share of what there was where `relative`."""

    name: str
    amount: float
    relative: bool
    text: str


@dataclass(frozen=True)
class Broken:
    """A limit that does not hold, and why."""

    limit: Limit
    why: str


def limits(text: str) -> tuple[Limit, ...]:
    """Limits as the user writes them, separated by `,` or `|`.

    Raises:
        PerfkitError: one of them cannot be read.
    """
    return tuple(_limit(part.strip()) for part in re.split(r"[,|]", text) if part.strip())


def broken(comparison: Comparison, asked: tuple[Limit, ...]) -> list[Broken]:
    """The limits that do not hold, in the order in which they were asked for."""
    found = ((limit, _JUDGES.get(limit.name, _count)(comparison, limit)) for limit in asked)
    return [Broken(limit, why) for limit, why in found if why]


def named(limit: Limit, comparison: Comparison) -> str:
    """The limit as it was written, and whose time it is about where that is not the device's."""
    cpu = limit.name == "slower" and comparison.pretended
    return f"{limit.text} (time on this CPU)" if cpu else limit.text


def _limit(text: str) -> Limit:
    match = _LIMIT.fullmatch(text)
    name = match.group(1) if match else ""
    relative = bool(match and match.group(3))
    if match is None or name not in ("slower", *COUNTS) or (name == "slower" and not relative):
        raise PerfkitError(
            f"--fail-if does not understand {text!r}",
            f"write slower=5%, or {', '.join(f'{count}=+1' for count in COUNTS)}",
        )
    amount = float(match.group(2))
    return Limit(name, amount / 100 if relative else amount, relative, text)


def _slower(comparison: Comparison, limit: Limit) -> str:
    steps = comparison.steps
    here = f" ({_CPU_TIME})" if comparison.pretended else ""
    if steps.judgement == "unknown" or steps.ratio is None:
        return f"step times cannot be judged: {steps.reason}{here}"
    worse = steps.ratio - 1
    if steps.judgement == "slower" and worse >= limit.amount:
        return f"a step takes {worse:.1%} longer{here}"
    return ""


def _new_findings(comparison: Comparison, limit: Limit) -> str:
    new, gone = len(comparison.found("new")), len(comparison.found("gone"))
    return _reached(limit, "findings", gone + len(comparison.found("remained")), new - gone)


def _count(comparison: Comparison, limit: Limit) -> str:
    total = comparison.total(limit.name)
    if total.before is None or total.change is None:
        return f"{total.words} were not counted in both runs"
    return _reached(limit, f"{total.words} per step", total.before, total.change)


def _reached(limit: Limit, words: str, before: float, change: float) -> str:
    least = limit.amount * before if limit.relative else limit.amount
    if change <= _ROUNDING or change < least - _ROUNDING:
        return ""
    return f"{words}: {before:g} before, {before + change:g} after"


_JUDGES: dict[str, Callable[[Comparison, Limit], str]] = {
    "slower": _slower,
    "findings": _new_findings,
}

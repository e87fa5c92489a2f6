"""The three sentences of a comparison."""

from __future__ import annotations

from perfkit.base import units
from perfkit.compare.comparison import Comparison, Total

_STEADY = 1.02


def name(comparison: Comparison) -> str:
    """Both runs, in order."""
    return f"{comparison.before} → {comparison.after}"


def device(comparison: Comparison) -> str:
    """One setting, or both where they differ."""
    return " → ".join(dict.fromkeys(comparison.devices))


def what(comparison: Comparison) -> str:
    """The step time, with how sure that is."""
    steps = comparison.steps
    if steps.before is None or steps.after is None:
        return f"Step times cannot be compared: {steps.reason}."
    times = f"{units.ns(steps.before.median_ns)} → {units.ns(steps.after.median_ns)}"
    if steps.judgement == "unknown":
        return f"Whether a step takes longer is not judged ({times}): {steps.reason}."
    if steps.judgement == "same":
        return f"No measurable difference in step time: {times}."
    assert steps.ratio is not None
    factor = 1 / steps.ratio if steps.judgement == "faster" else steps.ratio
    return f"A step is {_times(factor)} {steps.judgement}: {times}."


def certainty(comparison: Comparison) -> str:
    """What the judgement stands on; empty where there is no ratio."""
    steps = comparison.steps
    if steps.ratio is None or steps.before is None or steps.after is None:
        return ""
    told = f"After takes {steps.ratio:.3f} of before's time"
    if steps.low is not None:
        told += f" (99 % interval {steps.low:.3f} to {steps.high:.3f})"
    if steps.wander > _STEADY:
        told += f"; a difference below {steps.wander:.2f}x would mean nothing here"
    return f"{told}; {steps.before.count} and {steps.after.count} {steps.before.instrument} steps."


def why(comparison: Comparison) -> str:
    """What it waits for and launches now, and what was found."""
    counted = [_total(total) for total in comparison.totals]
    told = [words for words in counted if words]
    states = [(len(comparison.found(state)), state) for state in ("gone", "new", "remained")]
    found = [f"{count} {state}" for count, state in states if count]
    counts = f"Per step {', '.join(told)}" if told else "Counts per step are not known in both runs"
    return f"{counts}; findings: {', '.join(found) or 'none in either'}."


def next_step(comparison: Comparison) -> str:
    """The costliest new finding, else the costliest that remained."""
    for state in ("new", "remained"):
        for change in comparison.found(state):
            finding = change.shown
            where = (
                f"{finding.place.file.rsplit('/', 1)[-1]}:{finding.place.line}: "
                if (finding.place)
                else ""
            )
            return f"{where}{finding.fix or finding.title}."
    return "nothing was found that remains."


def _times(factor: float) -> str:
    return f"{factor - 1:.0%}" if factor < 2 else f"{factor:.2g}x"


def _total(total: Total) -> str:
    if total.before is None or total.after is None:
        return ""
    before, after = (units.count(round(value, 1)) for value in (total.before, total.after))
    return f"{after} {total.words}" if before == after else f"{before} → {after} {total.words}"

"""The three sentences of a comparison."""

from __future__ import annotations

from perfkit.base import units
from perfkit.compare.comparison import Comparison
from perfkit.compare.totals import Total
from perfkit.model.diagnosis import Saving
from perfkit.report import _words

_STEADY = 1.02


def name(comparison: Comparison) -> str:
    """Both runs, in order."""
    return f"{comparison.before} → {comparison.after}"


def device(comparison: Comparison) -> str:
    """One setting, or both where they differ."""
    return " → ".join(dict.fromkeys(comparison.devices))


def what(comparison: Comparison) -> str:
    """What the runs are compared by: the step time with how sure that is, or what was counted."""
    return _counted(comparison) if comparison.lead == "counts" else step_time(comparison)


def _counted(comparison: Comparison) -> str:
    told = _counts(comparison)
    changed = any(total.change for total in comparison.totals)
    start = f"Per step {told}" if changed else f"Nothing that is counted changed: {told} per step"
    cost = waiting(comparison)
    return f"{start}; {WAITING}: {cost}." if cost else f"{start}."


WAITING = "estimated cost of waits and copies on CUDA"


def waiting(comparison: Comparison) -> str:
    """The ranges of the waits' estimated cost; empty where one of them is not known."""
    ranges = [_range(each) for each in comparison.waiting if each is not None]
    return " → ".join(dict.fromkeys(ranges)) if len(ranges) == 2 else ""


def _range(cost: Saving) -> str:
    return _words.span(cost) if cost.high_ns else "nothing"


def step_time(comparison: Comparison) -> str:
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
    time = "CPU time" if comparison.pretended else "time"
    told = f"After takes {steps.ratio:.3f} of before's {time}"
    if steps.low is not None:
        told += f" (99 % interval {steps.low:.3f} to {steps.high:.3f})"
    if steps.wander > _STEADY:
        told += f"; a difference below {steps.wander:.2f}x would mean nothing here"
    return f"{told}; {steps.before.count} and {steps.after.count} {steps.before.instrument} steps."


def why(comparison: Comparison) -> str:
    """What the headline leaves out: what is counted, or this CPU's time; and what was found."""
    states = [(len(comparison.found(state)), state) for state in ("gone", "new", "remained")]
    found = ", ".join(f"{count} {state}" for count, state in states if count) or "none in either"
    if comparison.lead == "counts":
        return f"Findings: {found}. On this CPU, which is no test of CUDA: {step_time(comparison)}"
    told = _counts(comparison)
    counts = f"Per step {told}" if told else "Counts per step are not known in both runs"
    return f"{counts}; findings: {found}."


def _counts(comparison: Comparison) -> str:
    return ", ".join(words for words in map(_total, comparison.totals) if words)


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

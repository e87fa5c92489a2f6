"""Everything that can be said of two diagnoses beside each other, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from perfkit.compare.findings import FindingChange, finding_changes
from perfkit.compare.lines import Line, LineChange, line_changes
from perfkit.compare.steps import Sample, StepChange, step_change
from perfkit.compare.totals import Total, cost_of_waits, together, totals
from perfkit.model.diagnosis import Diagnosis, Saving

SCHEMA = "perfkit.comparison/1"

_FORBID = ("device", "gpu", "compute capability", "cpu", "step")
"""Facts without which times of two runs mean different things."""
_TOLD = (
    "torch",
    "cuda build",
    "command",
    "world size",
    "torch threads",
    "cores",
    "float32 products",
    "python",
    "system",
    "perfkit",
)
"""Facts that may be the reason of a difference: they are told, and the comparison stands."""
_SAME_WORK = 0.01
_WORK = "work per step (another batch, or other mathematics)"
_FOR = re.compile(r"--for[ =](?:'[^']*'|\S+)")
"""All that changes what is said of a recorded trace, whose file is named otherwise each time."""
_GOES = re.compile(r"\s--(?:out|report|device)[ =]\S+|\s--(?:no-report|quiet|json|open)\b|\s-q\b")


@dataclass(frozen=True)
class Difference:
    """A fact of the surroundings that differs; `forbids` where times cannot be compared then."""

    name: str
    before: str
    after: str
    forbids: bool = False


@dataclass(frozen=True)
class Comparison:
    """Two runs: what surrounds them, how long a step takes, what it waits for, what was found.

    Attributes:
        before, after: names of the runs; devices their settings.
        differences: what forbids first.
        predicted: what the findings that are gone were estimated to cost, together; None where none
            had an estimate. Costs overlap: the sum is the most that could be won.
        waiting: what the waits and copies of each are estimated to cost per step, together.
    """

    before: str
    after: str
    devices: tuple[str, str]
    differences: tuple[Difference, ...]
    steps: StepChange
    totals: tuple[Total, ...]
    lines: tuple[LineChange, ...]
    findings: tuple[FindingChange, ...]
    predicted: Saving | None
    waiting: tuple[Saving | None, Saving | None] = (None, None)

    @property
    def pretended(self) -> bool:
        """Whether both ran under the pretence, where times are this CPU's and counts the program's own."""
        return set(self.devices) == {"pretend-cuda"}

    @property
    def lead(self) -> Literal["counts", "step time"]:
        """What the headline is about: under the pretence what was counted, where it was in both."""
        same_step = all(each.name != "step" for each in self.differences)
        counted = self.total("syncs").change is not None
        return "counts" if self.pretended and same_step and counted else "step time"

    def total(self, name: str) -> Total:
        """The total of that name: syncs, copies or launches."""
        return next(total for total in self.totals if total.name == name)

    def found(self, state: str) -> list[FindingChange]:
        """Findings that are "gone", "new", "remained" or "not looked at"."""
        return [change for change in self.findings if change.state == state]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data, schema first."""
        return {
            "schema": SCHEMA,
            "before": self.before,
            "after": self.after,
            "lead": self.lead,
            "differences": [vars(each) for each in self.differences],
            "step_time": _steps_json(self.steps),
            "per_step": {
                total.name: {"before": total.before, "after": total.after} for total in self.totals
            },
            "lines": [
                {"before": _line_json(each.before), "after": _line_json(each.after)}
                for each in self.lines
            ],
            "findings": [_finding_json(each) for each in self.findings],
            "predicted": _saving_json(self.predicted),
            "cost_of_waits": dict(
                zip(("before", "after"), map(_saving_json, self.waiting), strict=True)
            ),
        }


def compare(before: Diagnosis, after: Diagnosis) -> Comparison:
    """What changed from one run to the other."""
    differences = _differences(before, after)
    steps = step_change(before, after)
    forbidding = [each.name for each in differences if each.forbids]
    if forbidding:
        reason = f"the runs differ in {', '.join(forbidding)}"
        steps = replace(steps, judgement="unknown", reason=reason, ratio=None, low=None, high=None)
    lines = line_changes(before, after)
    findings = finding_changes(before, after)
    return Comparison(
        before=before.run,
        after=after.run,
        devices=(before.facts.get("device", "unknown"), after.facts.get("device", "unknown")),
        differences=differences,
        steps=steps,
        totals=totals(before, after, lines),
        lines=lines,
        findings=findings,
        predicted=together(c.before for c in findings if c.state == "gone" and c.before),
        waiting=(cost_of_waits(before), cost_of_waits(after)),
    )


def _differences(before: Diagnosis, after: Diagnosis) -> tuple[Difference, ...]:
    found = []
    for name in (*_FORBID, *_TOLD):
        first, second = before.facts.get(name), after.facts.get(name)
        if first is None or second is None or first == second:
            continue
        if name == "command":
            found += _arguments(first, second)
        else:
            found.append(Difference(name, first, second, name in _FORBID))
    work = _flops(before), _flops(after)
    if all(work) and abs(work[1] / work[0] - 1) > _SAME_WORK:
        texts = [f"{value / 1e9:.4g} GFLOP" for value in work]
        found.append(
            Difference("work per step (another batch, or other mathematics)", texts[0], texts[1])
        )
    return tuple(sorted(found, key=lambda each: not each.forbids))


def _arguments(before: str, after: str) -> list[Difference]:
    """The options that only one of two command lines has; where a run goes is no difference."""
    first, second = (_options(_asked(text)) for text in (before, after))
    if first == second:
        return []
    only = [each for each in first if each not in second], [e for e in second if e not in first]
    words = [" ".join(each) or "–" for each in only]
    return [Difference("arguments", words[0], words[1])]


def _asked(command: str) -> str:
    """The command without where the run goes; of recorded traces only what was asked of them."""
    if command.startswith("perfkit analyze"):
        return " ".join(_FOR.findall(command))
    return _GOES.sub(" ", command)


def _options(command: str) -> list[str]:
    """Each option with what follows it."""
    found: list[str] = []
    for word in command.split():
        if word.startswith("-") or not found:
            found.append(word)
        else:
            found[-1] += f" {word}"
    return found


def _flops(diagnosis: Diagnosis) -> float:
    """FLOPs of a step as far as they are known; 0 where nobody counted."""
    table = diagnosis.tables.get("roofline")
    rows = table.records() if table else []
    return float(sum(v for row in rows if isinstance(v := row.get("flops"), (int, float))))


def _steps_json(steps: StepChange) -> dict[str, Any]:
    return {
        "judgement": steps.judgement,
        "reason": steps.reason,
        "ratio": steps.ratio,
        "wander": steps.wander,
        "low": steps.low,
        "high": steps.high,
        "before": _sample_json(steps.before),
        "after": _sample_json(steps.after),
    }


def _sample_json(sample: Sample | None) -> Mapping[str, Any] | None:
    if sample is None:
        return None
    return {name: value for name, value in vars(sample).items() if name != "durations_ns"}


def _saving_json(saving: Saving | None) -> Mapping[str, Any] | None:
    return None if saving is None else vars(saving)


def _line_json(line: Line | None) -> Mapping[str, Any] | None:
    return None if line is None else vars(line)


def _finding_json(change: FindingChange) -> dict[str, Any]:
    place = change.shown.place
    return {
        "rule": change.rule,
        "state": change.state,
        "title": change.shown.title,
        "place": None if place is None else vars(place),
        "why": change.why,
    }

"""What two runs count per step, and what the waits of a run are estimated to cost together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from perfkit.compare.lines import LineChange
from perfkit.model.diagnosis import Diagnosis, Finding, Saving

_WAITS = ("host-wait-in-step", "blocking-copies")


@dataclass(frozen=True)
class Total:
    """Something counted per step; None where nobody counted. `name` is as `Comparison.total` takes it."""

    name: str
    words: str
    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        return None if self.before is None or self.after is None else self.after - self.before


def totals(before: Diagnosis, after: Diagnosis, lines: Sequence[LineChange]) -> tuple[Total, ...]:
    """Synchronisations, blocking copies and launches of both."""
    seen_in = looked(before), looked(after)

    def counted(copies: bool) -> tuple[float | None, float | None]:
        sides = ([c.before for c in lines], [c.after for c in lines])
        first, second = (
            round(sum(one.per_step for one in side if one and one.is_copy is copies), 6)
            if seen
            else None
            for side, seen in zip(sides, seen_in, strict=True)
        )
        return first, second

    return (
        Total("syncs", "synchronisations", *counted(False)),
        Total("copies", "blocking copies", *counted(True)),
        Total("launches", "launches", _launches(before), _launches(after)),
    )


def looked(diagnosis: Diagnosis) -> bool:
    """Whether anybody looked for sync points: an empty table alone does not tell."""
    table = diagnosis.tables.get("sync_points")
    if table and table.rows:
        return True
    states = {o.rule: o.state for o in diagnosis.outcomes}
    return states.get("host-wait-in-step") in ("found", "clear")


def _launches(diagnosis: Diagnosis) -> float | None:
    text = diagnosis.facts.get("launches per step", "").replace(",", "")
    try:
        return float(text)
    except ValueError:
        return None


def together(findings: Iterable[Finding]) -> Saving | None:
    """What findings cost together; None where none has an estimate. Costs overlap: a range."""
    savings = [finding.saving for finding in findings if finding.saving]
    if not savings:
        return None
    least = max(saving.low_ns for saving in savings)
    return Saving(
        least,
        max(least, sum(saving.likely_ns for saving in savings)),
        max(least, sum(saving.high_ns for saving in savings)),
        "the largest alone, and all added up",
    )


def cost_of_waits(diagnosis: Diagnosis) -> Saving | None:
    """What its waits and copies are estimated to cost per step, added up as on the page of one run.

    None where nobody looked for them. Lines that another finding speaks for have no estimate of their
    own, so none counts twice.
    """
    if not looked(diagnosis):
        return None
    waits = [f for rule, f in diagnosis.findings() if rule in _WAITS or f.evidence.get("lines")]
    savings = [finding.saving for finding in waits if finding.saving]
    if waits and not savings:
        return None
    return Saving(
        sum(saving.low_ns for saving in savings),
        sum(saving.likely_ns for saving in savings),
        sum(saving.high_ns for saving in savings),
        "all added up",
    )

"""What was looked at, what was not, and why not."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.report import _words
from perfkit.report.blocks import Block, Cell, Grid, Head, Part, capped

ORDER = 70
_ROWS = 60


def section(diagnosis: Diagnosis) -> Block:
    """Always there: a page that says nothing here would look healthier than it is."""
    checks = tuple(
        (
            Cell(outcome.rule),
            Cell(_words.STATES[outcome.state]),
            Cell(str(len(outcome.findings) or "–")),
            Cell(outcome.reason or "–"),
        )
        for outcome in diagnosis.outcomes
    )
    heads = (Head("Check", "code"), Head("Outcome"), Head("Findings", "number"), Head("Looked at"))
    gaps = [(Cell(what), Cell(why or "–")) for what, why in _words.not_checked(diagnosis)]
    parts: list[Part] = [Grid(heads, checks)]
    if gaps:
        rows, more = capped(gaps, _ROWS)
        parts.append(Grid((Head("Missing, or to be read with care"), Head("Why")), rows, more))
    return Block("coverage", "What was checked, and what was not", tuple(parts), short="Coverage")

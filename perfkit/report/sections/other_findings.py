"""What every other rule found."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.report._findings import grouping
from perfkit.report.blocks import Block
from perfkit.report.sections import copies, sync_points
from perfkit.report.sections._cards import card_parts

ORDER = 35


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent when no other rule found anything."""
    rules = frozenset(o.rule for o in diagnosis.outcomes) - copies.RULES - sync_points.RULES
    rules -= grouping(diagnosis)
    parts = card_parts(diagnosis, rules, "in diagnosis.json")
    if not parts:
        return None
    title = "About the step as a whole"
    return Block("other-findings", title, tuple(parts), short="Whole step")

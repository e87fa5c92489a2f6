"""Copies that block the host."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.report.blocks import Block
from perfkit.report.sections._cards import card_parts

ORDER = 30
RULES = frozenset({"blocking-copies"})


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent when there is no such copy."""
    parts = card_parts(diagnosis, RULES, "in the table of sync points")
    lead = "Transfers between host and device during which nothing is queued."
    return Block("copies", "Blocking copies", tuple(parts), lead, "Copies") if parts else None

"""The run itself: what was started, where, how it ended."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.report.blocks import Block, Facts

ORDER = 80
_PAIRS = 60


def section(diagnosis: Diagnosis) -> Block:
    """Every recorded fact."""
    pairs = (("run", diagnosis.run), *diagnosis.facts.items())
    return Block(
        "run", "The run and its environment", (Facts(tuple(pairs[:_PAIRS])),), short="The run"
    )

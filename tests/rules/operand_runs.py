"""Steps of 100 µs on the GPU of round numbers, with what was seen of operands."""

from __future__ import annotations

from typing import Any

from perfkit.model.costs import OpCost
from perfkit.model.diagnosis import Finding
from perfkit.model.operands import Operands
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from tests.cost_rows import GPU, row
from tests.draw import draw

HERE = Frame("/p/model.py", 7, "forward")
TB_PER_S = 1_000_000
"""Bytes that take the memory of that GPU a microsecond."""


def run(*operands: Operands, costs: tuple[OpCost, ...] = (), **fields: Any) -> Run:
    """A measured step; of no costs given, one operator of a microsecond."""
    about: dict[str, Any] = {"device": "cuda", "peaks": GPU, "costed_steps": 1}
    rows = costs or (row(us=1, phase="backward"),)
    return draw(
        f"step  {'b' * 100}", **{**about, "costs": rows, "operands": tuple(operands), **fields}
    )


def predicted(*operands: Operands, launches: float, costs: tuple[OpCost, ...]) -> Run:
    """The same without a GPU: what a step takes is predicted."""
    fields = {"device": "pretend-cuda", "peaks": None, "launches_per_step": launches}
    return run(*operands, costs=costs, **fields)


def saved(finding: Finding) -> tuple[int, int, int]:
    """Low, likely and high, in ns."""
    assert finding.saving is not None
    return finding.saving.low_ns, finding.saving.likely_ns, finding.saving.high_ns

"""Every section that has something to say, in order."""

from __future__ import annotations

from dataclasses import replace

from perfkit.base import plugins
from perfkit.model.diagnosis import Diagnosis
from perfkit.report.blocks import Block

ROOM = "perfkit.report.sections"
_OF_ALL_RANKS = ("verdict", "ranks", "other-findings", "coverage", "outcomes", "not-checked", "run")


def blocks(diagnosis: Diagnosis) -> list[Block]:
    """The blocks of a diagnosis in the order of the page; of many ranks, what is of one alone says so."""
    found = plugins.modules(ROOM).values()
    ordered = sorted(found, key=lambda module: (module.ORDER, module.__name__))
    made = (module.section(diagnosis) for module in ordered)
    shown = diagnosis.facts.get("rank in detail")
    return [_titled(block, shown) for block in made if block is not None]


def _titled(block: Block, shown: str | None) -> Block:
    if shown is None or block.anchor in _OF_ALL_RANKS:
        return block
    return replace(block, title=f"Rank {shown}: {block.title}", short=block.short or block.title)

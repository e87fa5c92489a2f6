"""Every section that has something to say, in order."""

from __future__ import annotations

from perfkit.base import plugins
from perfkit.model.diagnosis import Diagnosis
from perfkit.report.blocks import Block

ROOM = "perfkit.report.sections"


def blocks(diagnosis: Diagnosis) -> list[Block]:
    """The blocks of a diagnosis in the order of the page."""
    found = plugins.modules(ROOM).values()
    ordered = sorted(found, key=lambda module: (module.ORDER, module.__name__))
    made = (module.section(diagnosis) for module in ordered)
    return [block for block in made if block is not None]

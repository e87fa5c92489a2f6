"""What was not looked at, and why not."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.report import _words
from perfkit.report.blocks import Block, Cell, Grid, Head, Part, Text

ORDER = 70
_FIRST = 60


def section(diagnosis: Diagnosis) -> Block:
    """Always there: a page that says nothing here would look healthier than it is."""
    gaps = tuple((Cell(what), Cell(why or "–")) for what, why in _words.not_checked(diagnosis))
    heads = (Head("Missing, or to be read with care"), Head("Why"))
    part: Part = Text("Every rule could look at what it needs, and nothing was dropped.")
    if gaps:
        part = Grid(heads, gaps, first=_FIRST)
    return Block("not-checked", "What was not checked, and why", (part,), short="Not checked")

"""One self-contained page: no request to anywhere, everything escaped, scripts allowed by hash only.

The page is readable without JavaScript except for its charts. plotly comes from the installed
package and is inlined once, only where there is a chart, compressed: 4.6 MiB become 2, and a browser
neither parses nor runs any of it before a chart comes into view. Its hash is allowed beside those of
the page's own scripts.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from importlib import resources
from typing import Any

from isal import isal_zlib
from jinja2 import Environment
from markupsafe import Markup

from perfkit.base import units
from perfkit.model.diagnosis import Diagnosis
from perfkit.report import _sections
from perfkit.report._assets import asset, policy, templates
from perfkit.report._colours import coloured
from perfkit.report._text import visible
from perfkit.report.blocks import Block, Card, Cell, Code, Figure, Grid, Outcomes, each_part

_SIZE = "@@size@@"
_SCRIPTS = ("tables.js", "outcomes.js", "views.js", "contents.js", "links.js")
_CHARTS = "charts.js"
_DRAWN = 5_000
"""Rows of one grid that a page carries; the rest are in diagnosis.json."""
_GZIP = 31
_LONG = 2_000


def render(diagnosis: Diagnosis) -> str:
    """The whole report as one HTML document."""
    device = diagnosis.facts.get("device", "unknown device")
    return page(_sections.blocks(diagnosis), diagnosis.run, device)


def page(blocks: list[Block], title: str, device: str, data: str = "diagnosis.json") -> str:
    """Blocks as one HTML document.

    Args:
        blocks: the first stands at the top, without a heading of its own.
        data: where the same is for machines.
    """
    parts = [part for block in blocks for part in each_part(block.parts)]
    charts = any(isinstance(part, Figure) for part in parts)
    scripts = [asset(name) for name in (*_SCRIPTS, *([_CHARTS] if charts else ()))]
    document = (
        _environment()
        .get_template("page.html")
        .render(
            blocks=blocks,
            title=title,
            device=device,
            data=data,
            anchors=_anchors(blocks),
            csp=policy([*scripts, *([_plotly()] if charts else ())]),
            css=Markup(asset("page.css")),
            scripts=[Markup(script) for script in scripts],
            plotly=Markup(_packed()) if charts else "",
            size=_SIZE,
        )
    )
    document = document.lstrip() + "\n"
    return document.replace(_SIZE, units.nbytes(len(document.encode())))


def _environment() -> Environment:
    environment = templates(_finalize)
    environment.filters["data_block"] = _data_block
    environment.filters["full"] = _full
    environment.filters["rest"] = _rest
    environment.filters["coloured"] = coloured
    environment.filters["figure_data"] = _figure_data
    return environment


def _finalize(value: Any) -> Any:
    """Every text on its way into the page is made visible; autoescaping follows."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def _full(text: str) -> Markup:
    """A longer text than usual: source lines and titles that only show on demand."""
    return Markup.escape(visible(text, _LONG))


def _figure_data(figure: Figure) -> dict[str, Any]:
    """What the page's script draws."""
    ranges = [(each.title, each.low, each.high) for each in figure.ranges]
    return {"spec": figure.spec, "ranges": ranges}


def _rest(grid: Grid) -> list[list[list[Any]]]:
    """The rows of a grid that are drawn on demand, as lists of lists of text and numbers."""
    return [[_cell(cell) for cell in row] for row in grid.hidden[:_DRAWN]]


def _cell(cell: Cell) -> list[Any]:
    """Text, detail, hint, anchor and bar; what is empty at the end is left out."""
    told: list[Any] = [visible(text) for text in (cell.text, cell.detail)]
    told += [visible(cell.hint, _LONG), cell.anchor, cell.bar]
    while told and not told[-1]:
        told.pop()
    return told


def _anchors(blocks: list[Block]) -> frozenset[str]:
    """Everything on the page that a link can point at: a link to what is not there stays text."""
    found = {block.anchor for block in blocks}
    for part in (part for block in blocks for part in each_part(block.parts)):
        if isinstance(part, Card):
            found.add(part.anchor)
        elif isinstance(part, Outcomes):
            found |= {check.rule for check in part.checks}
        elif isinstance(part, Code):
            found |= {line.anchor for _, lines in part.stretches for line in lines if line.anchor}
    return frozenset(found)


def _data_block(value: Any) -> Markup:
    """JSON for a script element that is never executed and that no text in it can close."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)


@cache
def _plotly() -> str:
    package = resources.files("plotly").joinpath("package_data").joinpath("plotly.min.js")
    return package.read_bytes().decode("utf-8")


@cache
def _packed() -> str:
    """plotly as base64 of gzip: the same bytes every time."""
    packed = isal_zlib.compress(_plotly().encode(), 3, _GZIP)
    return base64.b64encode(packed).decode()

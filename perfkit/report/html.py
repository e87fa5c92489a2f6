"""One self-contained page: no request to anywhere, everything escaped, scripts allowed by hash only.

The page is readable without JavaScript except for its charts. plotly comes from the installed
package and is inlined once, only where there is a chart: it makes 4.6 of the page's 4.7 MiB.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from perfkit.base import units
from perfkit.model.diagnosis import Diagnosis
from perfkit.report import _sections
from perfkit.report._text import visible
from perfkit.report.blocks import Block, Figure

_SIZE = "@@size@@"


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
    scripts = [_plotly(), _asset("page.js")] if _has_figure(blocks) else []
    document = (
        _environment()
        .get_template("page.html")
        .render(
            blocks=blocks,
            title=title,
            device=device,
            data=data,
            csp=_policy(scripts),
            css=Markup(_asset("page.css")),
            scripts=[Markup(script) for script in scripts],
            size=_SIZE,
        )
    )
    document = document.lstrip() + "\n"
    return document.replace(_SIZE, units.nbytes(len(document.encode())))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("perfkit.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_block"] = _data_block
    environment.filters["full"] = _full
    return environment


def _finalize(value: Any) -> Any:
    """Every text on its way into the page is made visible; autoescaping follows."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def _full(text: str) -> Markup:
    """A longer text than usual: source lines and titles that only show on demand."""
    return Markup.escape(visible(text, 2_000))


def _data_block(value: Any) -> Markup:
    """JSON for a script element that is never executed and that no text in it can close."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)


def _policy(scripts: list[str]) -> str:
    hashes = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(h).decode()}'" for h in hashes) or "'none'"
    # Style attributes are plotly's way to draw; they can load nothing under default-src 'none'.
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _has_figure(blocks: list[Block]) -> bool:
    return any(isinstance(part, Figure) for block in blocks for part in block.parts)


@cache
def _asset(name: str) -> str:
    return (
        resources.files("perfkit.report")
        .joinpath("page")
        .joinpath(name)
        .read_text(encoding="utf-8")
    )


@cache
def _plotly() -> str:
    package = resources.files("plotly").joinpath("package_data").joinpath("plotly.min.js")
    script = package.read_text(encoding="utf-8").replace("\r\n", "\n")
    if "</script" in script:
        raise ValueError("the installed plotly cannot be inlined: it contains a closing script tag")
    return script

"""The files a page is written from, and the policy that lets nothing in but what it was written with."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def asset(name: str) -> str:
    """The text of a style sheet or script of ours."""
    folder = resources.files("perfkit.report").joinpath("page")
    return folder.joinpath(name).read_text(encoding="utf-8")


def policy(scripts: Sequence[str]) -> str:
    """A content security policy: nothing is loaded, and these scripts run by their hashes."""
    hashes = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(h).decode()}'" for h in hashes) or "'none'"
    # Style attributes are plotly's way to draw; they can load nothing under default-src 'none'.
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def templates(finalize: Callable[[Any], Any]) -> Environment:
    """Our templates: everything is escaped, and what is not defined is an error.

    Args:
        finalize: what becomes of every value on its way into the page, before it is escaped.
    """
    return Environment(
        loader=PackageLoader("perfkit.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )

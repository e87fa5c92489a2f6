"""Reports of runs, made when somebody looks and kept until the diagnosis changes."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from jinja2 import TemplateError

from perfkit.base.errors import PerfkitError
from perfkit.integrations.tensorboard_plugin._runs import Stamp, diagnosis_of, stamp

_KEPT = 8
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
_DARK = "(prefers-color-scheme: dark)"
THEMES = ("dark", "light")
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)"')


@dataclass(frozen=True)
class Page:
    """A report, the policy that it asks for, and a mark that changes when it does."""

    html: str
    policy: str
    mark: str


def themed(html: str, theme: str) -> str:
    """The page as in a browser that prefers `theme`; as the reader's browser has it for any other word.

    TensorBoard has a dark mode of its own, which no media query in a frame of another origin can see.
    """
    if theme not in THEMES:
        return html
    html = html.replace('content="light dark"', f'content="{theme}"', 1)

    def style(found: re.Match[str]) -> str:
        css = found[0].replace("color-scheme: light dark", f"color-scheme: {theme}")
        always, never = "(min-width: 0)", "(max-width: 0)"
        return css.replace(_DARK, always if theme == "dark" else never)

    return _STYLE.sub(style, html, count=1)


class Pages:
    """The last few pages that were looked at. Safe for threads: each is made once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: OrderedDict[Path, tuple[Stamp, Page]] = OrderedDict()

    def of(self, folder: Path) -> Page:
        """The report of the run in `folder`.

        Raises:
            PerfkitError: it cannot be opened, or its diagnosis cannot be shown.
        """
        with self._lock:
            now = stamp(folder)
            kept = self._pages.pop(folder, None)
            if kept is None or kept[0] != now:
                kept = now, _page(folder, now)
            self._pages[folder] = kept
            while len(self._pages) > _KEPT:
                self._pages.popitem(last=False)
            return kept[1]


def _page(folder: Path, now: Stamp) -> Page:
    from perfkit.report.html import render

    diagnosis = diagnosis_of(folder)
    try:
        html = render(diagnosis)
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
        TemplateError,
    ) as e:
        raise PerfkitError(
            f"the diagnosis of this run does not fit this version: {type(e).__name__}: {e}",
            "profile again with this version",
        ) from e
    policy = _POLICY.search(html)
    assert policy is not None, "a report without a policy"
    return Page(html, unescape(policy[1]), f"{now[0]:x}-{now[1]:x}")

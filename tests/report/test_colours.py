"""Source with colours: nothing in it becomes markup, and no line is lost."""

from __future__ import annotations

import re

import pytest
from markupsafe import Markup

from perfkit.report._colours import coloured


def _text(markup: Markup) -> str:
    return Markup(re.sub(r"</?span[^>]*>", "", markup)).unescape()


@pytest.mark.parametrize(
    "lines",
    [
        ["def f(x):", "    return x  # done"],
        ['"""a text', "over lines", '"""', "x = 1"],
        ["    indented", "", "  less"],
        ["x = '</script><img src=x onerror=alert(1)>'"],
        ["if (broken: '", "¿?`$"],
        [""],
        [],
    ],
)
def test_every_line_comes_back_with_its_own_text(lines: list[str]) -> None:
    assert [_text(line) for line in coloured(lines)] == lines


def test_no_tag_but_spans() -> None:
    (line,) = coloured(["x = '</script><img src=x>'"])
    assert set(re.findall(r"<(\w+)", line)) == {"span"}


def test_a_text_over_several_lines_keeps_its_colour() -> None:
    first, second, _ = coloured(['"""a', "def b", '"""'])
    assert second == Markup('<span class="s">def b</span>')
    assert "s" in first


def test_direction_marks_are_shown_and_endless_lines_end() -> None:
    assert "\\u202e" in coloured(["# \u202eevil"])[0]
    assert len(coloured(["x" * 10_000])[0]) < 2_100

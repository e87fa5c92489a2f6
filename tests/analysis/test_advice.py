"""Advice fits the statement, or keeps quiet."""

from __future__ import annotations

import pytest

from perfkit.analysis.advice import fitting
from perfkit.analysis.source import Source


def source(code: str, loop: int | None = None, through_steps: bool = False) -> Source:
    return Source(code, "f", (), loop, through_steps=through_steps)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("item", None),  # unreadable source
        ("item", source("value = loss.item()")),  # nothing special: the page's advice stands
        ("h2d", source("if x.to(device).any():")),  # a copy is no read
        ("nonzero", source("index = mask.nonzero()")),  # outside any loop
        ("nonzero", source("index = mask.nonzero()", 7, True)),  # the steps cannot be left out
        ("item", source("value = loss.item()", 7, True)),
    ],
)
def test_quiet_where_nothing_special_is_known(kind, given):
    assert fitting(kind, given) is None


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("if mask.any():", "drop the test"),
        ("if loss > best:", "decide on the device"),
        ("while not done:", "decide on the device"),
        ("best = a if a > b else b", "decide on the device"),
        ("assert torch.isfinite(loss)", "_assert_async"),
        ('print(f"loss {loss:.3f}")', "log every N steps"),
        ("logger.info(loss.item())", "log every N steps"),
        ("total += loss.item()", "accumulate on the device"),
        ("losses.append(loss.item())", "accumulate on the device"),
    ],
)
def test_a_read_is_advised_by_its_use(code, expected):
    assert expected in (fitting("item", source(code)) or "")


def test_a_read_or_a_selection_in_a_loop_names_the_loop():
    assert "loop of line 7" in (fitting("item", source("x = t.item()", 7)) or "")
    assert "loop of line 7" in (fitting("nonzero", source("i = mask.nonzero()", 7)) or "")

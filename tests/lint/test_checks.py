"""Contract of every check: its page, and its own examples, the silent ones first."""

from __future__ import annotations

import re

import pytest

from perfkit.catalogue import _index
from perfkit.lint._examples import expected, program
from perfkit.lint._hooks import EVENTS, by_code, checks
from perfkit.lint._run import fix_of, lint_text
from perfkit.lint._settings import Settings

CHECKS = checks()
SILENT = [(name, text) for name, module in CHECKS.items() for text in module.SILENT]
FOUND = [(name, text) for name, module in CHECKS.items() for text in module.FOUND]


def lines(check: str, text: str) -> list[int]:
    settings = Settings(select=(CHECKS[check].CODE,))
    result = lint_text(text, "example.py", settings)
    assert all(finding.level == "warning" for finding in result.findings), result.findings
    return [finding.line for finding in result.findings]


@pytest.mark.parametrize(("name", "example"), SILENT)
def test_what_resembles_it_stays_silent(name, example):
    assert lines(name, program(example)) == []


@pytest.mark.parametrize(("name", "example"), FOUND)
def test_what_it_is_for_is_found_on_its_line(name, example):
    text = program(example)
    assert expected(text)
    assert sorted(set(lines(name, text))) == expected(text)


@pytest.mark.parametrize("name", CHECKS)
def test_a_page_says_what_why_what_instead_and_when_not(name):
    page = CHECKS[name].__doc__ or ""
    for heading in (
        "**What it finds**", "**Why it hurts**", "**Instead**", "**When not to act**",
    ):  # fmt: skip
        assert heading in page
    assert len(page.splitlines()[0]) <= 100


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_has_a_stable_code_a_known_kind_and_short_advice(name):
    module = CHECKS[name]
    assert re.fullmatch(r"PK[12]\d\d", module.CODE)
    assert 8 < len(fix_of(module)) <= 120
    if module.KIND is not None:
        assert _index.page(module.KIND).kind == module.KIND


def test_no_two_checks_share_a_code():
    assert len(by_code()) == len(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_listens_to_something(name):
    module = CHECKS[name]
    listens = [hook for hook in (*EVENTS, "METHODS", "FUNCTIONS") if hasattr(module, hook)]
    assert listens
    assert hasattr(module, "METHODS") == hasattr(module, "method")
    assert hasattr(module, "FUNCTIONS") == hasattr(module, "function")

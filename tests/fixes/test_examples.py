"""Every fix by its own examples: what must stay, what must change, and that both compute the same."""

from __future__ import annotations

import ast
import inspect
from dataclasses import replace

import pytest
import torch

from perfkit.base import plugins
from perfkit.fixes._apply import fixed
from perfkit.fixes._codemod import ROOM, Example, Fix, fixes
from tests.fixes.computed import assert_same, namespace

FIXES = fixes()
SILENT = [(n, f, e) for n, f in FIXES.items() for e in f.silent]
CHANGED = [(n, f, e) for n, f in FIXES.items() for e in f.examples if e.after]
ADVISED = [(n, f, e) for n, f in FIXES.items() for e in f.examples if not e.after]


def _id(value: object) -> str:
    return value if isinstance(value, str) else getattr(value, "name", "")


@pytest.mark.parametrize(("name", "fix", "example"), SILENT, ids=_id)
def test_what_must_not_change_stays(name: str, fix: Fix, example: Example) -> None:
    ast.parse(example.before)
    data = example.before.encode()
    assert any(word in example.before for word in fix.words), "the fix never looked"
    fix = replace(fix, signs=())  # what is found must be right without them, too
    for unsafe in (False, True) if not fix.safe else (False,):
        outcome = fixed(data, {name: fix}, unsafe=unsafe)
        assert outcome.after == data
        assert not outcome.skipped and not outcome.advice


@pytest.mark.parametrize(("name", "fix", "example"), CHANGED, ids=_id)
def test_what_must_change_does_and_then_stays(name: str, fix: Fix, example: Example) -> None:
    outcome = fixed(example.before.encode(), {name: fix}, unsafe=not example.safe)
    assert outcome.after.decode() == example.after, outcome.skipped
    assert all(note.safe == example.safe for note in outcome.changed)
    again = fixed(outcome.after, {name: fix}, unsafe=True)
    assert again.after == outcome.after and not again.held


@pytest.mark.parametrize(
    ("name", "fix", "example"), [row for row in CHANGED if not row[2].safe], ids=_id
)
def test_unsafe_changes_wait_to_be_asked_for(name: str, fix: Fix, example: Example) -> None:
    outcome = fixed(example.before.encode(), {name: fix})
    assert outcome.after == outcome.before
    assert [note.text for note in outcome.held if note.text]


@pytest.mark.parametrize(("name", "fix", "example"), ADVISED, ids=_id)
def test_advice_changes_nothing(name: str, fix: Fix, example: Example) -> None:
    outcome = fixed(example.before.encode(), {name: fix}, unsafe=True)
    assert outcome.after == outcome.before
    assert [note.fix for note in outcome.advice] == [name]


@pytest.mark.parametrize(("name", "fix", "example"), [r for r in CHANGED if r[2].run], ids=_id)
def test_both_compute_the_same(name: str, fix: Fix, example: Example) -> None:
    torch.set_num_threads(1)
    results = []
    for source in (example.before, example.after):
        names = namespace(source)
        torch.manual_seed(3)
        results.append(eval(example.run, names))
    if example.safe:
        assert_same(*results)
    elif isinstance(results[0], torch.Tensor) and results[0].shape == results[1].shape:
        torch.testing.assert_close(*results)
    else:
        assert "wider" in _page(name)


@pytest.mark.parametrize("name", FIXES)
def test_every_fix_has_a_page_and_a_name(name: str) -> None:
    module = plugins.module(ROOM, name)
    assert callable(getattr(module, name))
    assert FIXES[name].find is getattr(module, name)
    page = _page(name)
    for heading in ("What it does", "Why it helps", "When not to act"):
        assert f"\n{heading}\n" in page
    assert "\nWhy it is " in page
    assert FIXES[name].silent and FIXES[name].examples
    assert FIXES[name].safe == any(e.safe for e in FIXES[name].examples)


def _page(name: str) -> str:
    return inspect.getdoc(plugins.module(ROOM, name)) or ""

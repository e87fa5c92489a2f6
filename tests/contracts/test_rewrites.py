"""What every rewrite keeps, whoever writes it: a page, proofs, goals on cases that exist."""

from __future__ import annotations

import inspect

import pytest
import torch

from perfkit.base import plugins
from perfkit.base.errors import PerfkitError
from perfkit.rewrites import _parity, _tree
from perfkit.rewrites._rewrite import ROOM, Case, Form, Rewrite, page, rewrite, rewrites

NAMES = plugins.names(ROOM)
HEADINGS = (
    "What it replaces",
    "Why it is faster",
    "When it wins, and when not",
    "Exact or approximate",
    "Hazards",
)
each = pytest.mark.parametrize("name", NAMES)


def proofs() -> list[object]:
    return [
        pytest.param(name, form, case, dtype, id=f"{name}-{form.name}-{case.name}-{dtype}")
        for name, declared in rewrites().items()
        for form in (*declared.found[1:], *declared.forms)
        for case in declared.cases
        for dtype in case.dtypes
        if form.exact
    ]


def approximations() -> list[object]:
    return [
        pytest.param(declared, form, id=f"{name}-{form.name}")
        for name, declared in rewrites().items()
        for form in declared.forms
        if not form.exact
    ]


def traps() -> list[object]:
    return [
        pytest.param(declared, trap, id=f"{name}-{trap.name}")
        for name, declared in rewrites().items()
        for trap in declared.traps
    ]


@each
def test_the_module_defines_the_function_it_is_named_after(name: str) -> None:
    assert callable(getattr(page(name), name))
    assert isinstance(rewrite(name), Rewrite)


@each
def test_the_docstring_is_its_page(name: str) -> None:
    lines = inspect.getdoc(page(name)).splitlines()
    places = [lines.index(heading) for heading in HEADINGS]
    assert places == sorted(places)
    for start, end in zip(places, [*places[1:], len(lines)], strict=True):
        assert any(line.strip() for line in lines[start + 1 : end]), lines[start]


@each
def test_names_are_unique_and_goals_are_about_what_exists(name: str) -> None:
    declared = rewrite(name)
    forms = [form.name for form in (*declared.found, *declared.forms, *declared.traps)]
    assert len(forms) == len(set(forms))
    cases = [case.name for case in declared.cases]
    assert len(cases) == len(set(cases))
    assert any(case.measured for case in declared.cases)
    for goal in declared.goals:
        assert declared.case(goal.case).measured
        assert not goal.form or declared.form(goal.form) in declared.forms
        assert not goal.against or declared.form(goal.against) in declared.found


@each
def test_the_chosen_form_is_declared_and_can_run(name: str) -> None:
    declared = rewrite(name)
    for case in declared.cases:
        inputs = case.make(0)
        assert declared.chosen(inputs) in declared.forms
        assert declared.chosen(inputs).unavailable(*inputs) is None


@pytest.mark.parametrize(("name", "form", "case", "dtype"), proofs())
def test_an_exact_form_equals_the_found_code(
    name: str, form: Form, case: Case, dtype: torch.dtype
) -> None:
    why_not = form.unavailable(*_tree.fresh(case.make(0), dtype))
    if why_not:
        pytest.skip(why_not)
    proof = _parity.case_parity(rewrite(name), form, case, dtype)
    assert proof.holds, proof


@pytest.mark.parametrize(("declared", "form"), approximations())
def test_an_approximate_form_says_what_it_changes_and_stays_within_its_quality(
    declared: Rewrite, form: Form
) -> None:
    assert form.approximates and form.quality is not None
    judged = 0
    for case in (case for case in declared.cases if case.measured):
        inputs = case.make(0)
        if form.unavailable(*inputs) is not None:
            continue
        found = _parity.evaluate(declared.reference, _tree.fresh(inputs), backward=False).output
        given = _parity.evaluate(form, _tree.fresh(inputs), backward=False).output
        quality = form.quality(inputs, found, given)
        assert quality.holds, quality
        judged += 1
    assert judged


@pytest.mark.parametrize(("declared", "trap"), traps())
def test_a_trap_is_refused(declared: Rewrite, trap: Form) -> None:
    assert not all(
        _parity.case_parity(declared, trap, case, torch.float64).holds for case in declared.cases
    )


def test_an_unknown_rewrite_lists_those_there_are() -> None:
    with pytest.raises(PerfkitError, match="segment_ids"):
        rewrite("no_such_rewrite")

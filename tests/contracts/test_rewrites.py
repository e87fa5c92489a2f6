"""What every rewrite keeps, whoever writes it: a page, proofs, goals on cases that exist."""

from __future__ import annotations

import inspect
from collections import UserList
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from perfkit.base import plugins
from perfkit.base.errors import PerfkitError
from perfkit.rewrites import _own, _parity, _tree
from perfkit.rewrites._rewrite import ROOM, Case, Form, Rewrite, page, rewrite, rewrites
from perfkit.rewrites._timing import one_thread

NAMES = plugins.names(ROOM)
HEADINGS = (
    "What it replaces",
    "Why it is faster",
    "When it wins, and when not",
    "Exact or approximate",
    "Hazards",
    "Your own inputs",
)
each = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def _one_torch_thread() -> Iterator[None]:
    with one_thread():
        yield


def proofs() -> list[object]:
    return [
        pytest.param(
            name,
            form,
            case,
            dtype,
            id=f"{name}-{form.name}-{case.name}-{dtype}",
            marks=[pytest.mark.slow] if form.compiles else [],
        )
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
        torch.manual_seed(0)  # some draw what they leave out
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


def plain(value: Any) -> Any:
    """What a user would save instead: no class of ours, functions by name."""
    if isinstance(value, torch.Tensor) or value is None:
        return value
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, UserList):
        return list(value)
    if isinstance(value, (tuple, list)):
        return tuple(map(plain, value))
    if isinstance(value, partial):
        return value().read()
    return value.__name__ if callable(value) else value


@each
def test_a_users_own_inputs_come_from_a_file_of_plain_values_or_a_reason_says_why_not(
    name: str, tmp_path: Path
) -> None:
    declared = rewrite(name)
    if declared.not_from_a_file:
        with pytest.raises(PerfkitError, match=r"--inputs mine\.py"):
            _own.adopted(declared, ())
        return
    case = next(case for case in declared.cases if case.measured)
    inputs = plain(case.make(0))
    torch.save(inputs, tmp_path / "captured.pt")
    saved = torch.load(tmp_path / "captured.pt", weights_only=True)
    named = list(inspect.signature(declared.adopt or declared.reference.run).parameters)
    for given in (saved, dict(zip(named, saved, strict=False))):
        if isinstance(given, dict) and declared.saved_as:
            (given,) = saved  # a claim, whose fields are the names
        own = _own.adopted(declared, given)
        proof = _parity.parity(declared, declared.chosen(own), own, case.name)
        assert proof.holds or not declared.chosen(own).exact, proof


@each
def test_wrong_inputs_are_a_mistake_that_says_what_is_wanted(name: str) -> None:
    declared = rewrite(name)
    wrong: tuple[Any, ...] = (7, (), (torch.zeros(3),) * 40, {"no_such_name": 1}, (object(),) * 3)
    for saved in wrong:
        with pytest.raises(PerfkitError):
            _own.checked(declared, _own.adopted(declared, saved))


@each
def test_the_page_says_what_to_save(name: str) -> None:
    declared = rewrite(name)
    paragraph = page(name).__doc__.partition("Your own inputs\n")[2]
    if declared.not_from_a_file:
        assert "mine.py" in paragraph
        return
    call = declared.adopt or declared.reference.run
    names = list(inspect.signature(call).parameters) if not declared.saved_as else []
    assert [one for one in names if f"`{one}`" not in paragraph] == []


def test_an_unknown_rewrite_lists_those_there_are() -> None:
    with pytest.raises(PerfkitError, match="segment_ids"):
        rewrite("no_such_rewrite")

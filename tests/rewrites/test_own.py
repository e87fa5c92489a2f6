"""Inputs from a file: what is refused and in which words, and what is rebuilt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from perfkit.base.errors import PerfkitError
from perfkit.rewrites import _own
from perfkit.rewrites._rewrite import Case, Form, Rewrite


class Pair(NamedTuple):
    left: Tensor
    right: Tensor


@dataclass(frozen=True)
class Costs:
    draft: float = 1.0


def found(x: Tensor, rows: int, scale: float = 1.0, names: tuple[str, ...] = ()) -> Tensor:
    return x[:rows] * scale


def declared(**more) -> Rewrite:
    case = Case("c", lambda seed: (torch.zeros(3), 2))
    form = Form("found", found, "never")
    return Rewrite("", (form,), (Form("fast", found, ""),), (case,), **more)


@pytest.mark.parametrize(
    ("saved", "told"),
    [
        (7, "holds an int, not arguments"),
        ((), "holds 0 values: missing a required argument: 'x'"),
        ({}, "a dictionary of nothing"),
        ((1, 2, 3, 4, 5), "too many positional arguments"),
        ({"x": 1, "z": 2}, "a dictionary of x, z"),
        ((torch.zeros(3), True), "rows is a bool, not int"),
        ((torch.zeros(3), 1, "2"), "scale is a str, not float"),
        ((torch.zeros(3), 1, 2, 3), "names is an int, not tuple"),
    ],
)
def test_what_does_not_fit_is_told_with_what_to_save(saved, told):
    with pytest.raises(PerfkitError) as refused:
        _own.adopted(declared(), saved)
    assert told in str(refused.value)
    assert "(x, rows, [scale], [names]), in this order or as a dictionary" in str(refused.value)


def test_order_and_names_give_the_same_arguments():
    x = torch.zeros(3)
    assert _own.adopted(declared(), [x, 2, 3]) == (x, 2, 3)
    assert _own.adopted(declared(), {"scale": 3, "rows": 2, "x": x}) == (x, 2, 3)
    assert _own.adopted(declared(), (x, 2, 1.0, ["a"]))[3] == ["a"]


def test_a_rewrite_that_takes_code_says_what_to_do_instead():
    with pytest.raises(PerfkitError, match=r"it takes code\n  write mine\.py"):
        _own.adopted(declared(not_from_a_file="it takes code; write mine.py"), ())


def test_adopt_may_take_unions_and_mappings_and_its_mistakes_are_told():
    def adopt(x: Tensor | float, more: Mapping[str, int] | None = None):
        return torch.as_tensor(x), (more or {})["rows"]

    own = declared(adopt=adopt)
    assert _own.adopted(own, (1.5, {"rows": 2}))[1] == 2
    with pytest.raises(PerfkitError, match="x is a list, not Tensor or float"):
        _own.adopted(own, ([1],))
    with pytest.raises(PerfkitError, match="cannot be used: KeyError: 'rows'"):
        _own.adopted(own, (1.5,))


def test_what_the_found_code_raises_is_told():
    with pytest.raises(PerfkitError, match="the found code itself raises IndexError"):
        _own.checked(declared(), (torch.zeros(()), 2))


def test_forms_that_raise_are_named_and_others_are_not():
    def broken(x, rows):
        raise ValueError("no\nmore")

    forms = (Form("fine", found, ""), Form("broken", broken, ""))
    raised = _own.refusals(forms, (torch.zeros(3), 2))
    assert raised == {"broken": "raises ValueError: no, which the found code does not"}


def test_functions_come_by_name_from_a_short_list():
    assert _own.named_function("silu") is torch.nn.functional.silu
    assert _own.named_function(torch.sqrt) is torch.sqrt
    for name in _own.FUNCTIONS:
        assert _own.named_function(name)(torch.ones(2)).shape == (2,)
    with pytest.raises(PerfkitError, match="no function 'load'"):
        _own.named_function("load")


def test_classes_are_rebuilt_by_name_or_in_order_or_kept():
    pair = Pair(torch.ones(1), torch.zeros(1))
    assert _own.rebuilt(Pair, tuple(pair)) == pair
    assert _own.rebuilt(Pair, pair._asdict()) == pair
    assert _own.rebuilt(Pair, pair) is pair
    assert _own.rebuilt(Costs, {"draft": 2.0}) == Costs(2.0)
    with pytest.raises(PerfkitError, match="1 value make no Pair\n  it has: left, right"):
        _own.rebuilt(Pair, [torch.ones(1)])
    with pytest.raises(PerfkitError, match="a dictionary of price make no Costs"):
        _own.rebuilt(Costs, {"price": 2.0})

"""The proof itself: what it refuses. A proof that accepts everything proves nothing."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from perfkit.rewrites import _tree
from perfkit.rewrites._counting import count
from perfkit.rewrites._measure import Asked, measure, missed
from perfkit.rewrites._parity import parity
from perfkit.rewrites._rewrite import Case, Form, Goal, Quality, Rewrite
from perfkit.rewrites._timing import cpu_times


def form(run, **kwargs):
    return Form(kwargs.pop("name", "given"), run, "always", **kwargs)


def make(seed):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(5, generator=generator).requires_grad_(),)


def squares(x):
    return (x * x).sum()


def proof(run, inputs=None, dtype=torch.float64):
    declared = Rewrite("squares", (form(squares, name="found"),), (form(run),), (Case("c", make),))
    return parity(declared, declared.forms[0], inputs or make(0), "c", dtype)


def test_the_same_arithmetic_in_another_order_is_equal():
    assert proof(lambda x: torch.dot(x, x)).holds
    assert proof(lambda x: torch.dot(x, x), dtype=torch.float32).holds


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (lambda x: torch.zeros(()), "value"),
        (lambda x: (x * x).sum() * (1 + 1e-6), "value off"),
        (lambda x: (x * x).detach().sum(), "objective is gone"),
        (lambda x: (x.detach() * x).sum(), "gradient off"),
        (lambda x: (x * x).sum() + 0 * x.sum() * float("nan"), "value"),
        (lambda x: (x * x).sum()[None], "shape"),
        (lambda x: ((x * x).sum(), 1), "outputs"),
    ],
    ids=["zero", "scaled", "detached", "half gradient", "nan", "shape", "count"],
)
def test_a_wrong_form_is_refused_with_the_reason(run, says):
    refused = proof(run)
    assert not refused.holds
    assert says in refused.reason


def test_a_zero_whose_value_happens_to_be_right_is_refused_for_its_gradient():
    inputs = (torch.zeros(3, requires_grad=True),)
    declared = Rewrite("sum", (form(lambda x: x.sum(), name="found"),), (), (Case("c", make),))
    shortcut = form(lambda x: torch.zeros((), dtype=x.dtype))
    refused = parity(declared, shortcut, inputs, "c", torch.float64)
    assert "objective is gone" in refused.reason


def test_integers_and_plain_values_must_be_the_same():
    declared = Rewrite(
        "ids", (form(lambda x: (x.argmax(), 3, "a"), name="found"),), (), (Case("c", make),)
    )
    inputs = (torch.tensor([1.0, 5.0]),)
    assert parity(declared, form(lambda x: (x.argmax(), 3, "a")), inputs, "c").holds
    assert not parity(declared, form(lambda x: (x.argmin(), 3, "a")), inputs, "c").holds
    assert not parity(declared, form(lambda x: (x.argmax(), 4, "a")), inputs, "c").holds


def test_infinite_and_undefined_values_are_compared_by_place():
    declared = Rewrite(
        "log", (form(lambda x: x.detach().log(), name="found"),), (), (Case("c", make),)
    )
    inputs = (torch.tensor([0.0, -1.0, 2.0]),)
    assert parity(declared, form(lambda x: x.log()), inputs, "c").holds
    assert not parity(declared, form(lambda x: x.abs().log()), inputs, "c").holds


@dataclass
class Pair:
    left: torch.Tensor
    names: list[str]


def test_trees_keep_their_shape_and_their_gradients():
    tree = ({"a": Pair(torch.ones(2, requires_grad=True), ["n"])}, [torch.arange(2)])
    copy = _tree.fresh(tree, torch.float64)
    left = copy[0]["a"].left
    assert left.dtype == torch.float64 and left.requires_grad and left.is_leaf
    assert copy[0]["a"].names == ["n"]
    assert copy[1][0].dtype == torch.int64


def test_counts_tell_operators_waits_and_copies_apart():
    def run(x, host):
        total = (x + host.to(x.device)).sum()
        return torch.tensor(total.item())

    counts = count(form(run), (torch.ones(3), torch.ones(3)), stays_on_host=(1,))
    assert (counts.device_ops, counts.syncs, counts.copies) == (2, 1, 1)


def test_the_backward_pass_is_counted_when_asked_for():
    inputs = (torch.ones(3, requires_grad=True),)
    forward = count(form(squares), inputs)
    both = count(form(squares), inputs, backward=True)
    assert forward.device_ops == 2
    assert both.device_ops > forward.device_ops


def test_slower_code_takes_longer():
    slow = form(lambda x: [x.sort() for _ in range(50)][-1].values, name="slow")
    times = cpu_times([form(lambda x: x.sort().values, name="fast"), slow], make(0), rounds=3)
    assert times["slow"] > 5 * times["fast"]


def test_a_row_tells_what_a_goal_misses():
    declared = Rewrite(
        "squares",
        (form(lambda x: sum(v * v for v in x.tolist()) * torch.ones(()), name="found"),),
        (
            form(lambda x: torch.dot(x, x), name="dot"),
            form(squares, name="absent", unavailable=lambda x: "needs a moon"),
            form(
                lambda x: torch.dot(x, x) * 2,
                name="rough",
                exact=False,
                approximates="twice",
                quality=lambda inputs, found, given: Quality("off", float(given / found), 1.5),
            ),
        ),
        (Case("c", make),),
    )
    inputs = (torch.ones(5),)
    rows = measure("squares", declared, declared.forms, inputs, Asked("c", declared.reference))
    dot, absent, rough = rows
    assert dot.chosen and dot.holds and dot.ratio
    assert dot.counts.syncs == 0 and dot.found_counts.syncs == 1
    assert missed(Goal("c", syncs=0), dot) == []
    assert "1 device ops, wanted at most 0" in missed(Goal("c", device_ops=0), dot)[0]
    assert "wanted 1e+09x" in missed(Goal("c", ratio=1e9), dot)[0]
    assert "needs a moon" in missed(Goal("c"), absent)[0]
    assert rough.holds is False and missed(Goal("c"), rough)

"""Our matmul FLOPs against every formula of torch.utils.flop_counter, on the same shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from perfkit.capture.costs import call_of
from perfkit.costs import Cost
from perfkit.costs._index import cost, has_cost
from tests.costs.live import rand

A = torch.ops.aten
IMAGE, KERNEL = rand(2, 4, 9, 8), rand(6, 4, 3, 3)
HYPER = ([2, 1], [1, 1], [1, 1])
FP8 = torch.float8_e4m3fn


def ours(op: Any, args: tuple[Any, ...], out: Any) -> int:
    """FLOPs of the call as perfkit counts them."""
    found = cost(call_of(op.default, args, {}, out))
    assert isinstance(found, Cost), found
    return found.flops


def _backward(transposed: bool) -> tuple[Any, ...]:
    weight = rand(4, 6, 3, 3) if transposed else KERNEL
    rest = (*HYPER, transposed, [0, 0], 1)
    grad = A.convolution(IMAGE, weight, None, *rest)
    return grad, IMAGE, weight, [6], *rest, [True, True, True]


ON_CPU: list[tuple[Any, tuple[Any, ...]]] = [
    (A.mm, (rand(3, 5), rand(5, 7))),
    (A.addmm, (rand(7), rand(3, 5), rand(5, 7))),
    (A.bmm, (rand(2, 3, 5), rand(2, 5, 7))),
    (A.baddbmm, (rand(3, 7), rand(2, 3, 5), rand(2, 5, 7))),
    (A.convolution, (IMAGE, KERNEL, None, *HYPER, False, [0, 0], 1)),
    (A.convolution, (IMAGE, rand(6, 2, 3, 3), None, *HYPER, False, [0, 0], 2)),
    (A.convolution, (IMAGE, rand(4, 3, 3, 3), None, *HYPER, True, [0, 0], 2)),
    (A._convolution, (IMAGE, KERNEL, None, *HYPER, False, [0, 0], 1, *(False,) * 4)),
    (A.convolution_backward, _backward(False)),
    (A.convolution_backward, _backward(True)),
    (A.convolution_backward, (*_backward(False)[:-1], [False, True, False])),
]

Q, K, V = rand(2, 8, 10, 16), rand(2, 2, 12, 16), rand(2, 2, 12, 16)
LSE, SEED = rand(2, 8, 10), torch.zeros(())
PACKED, ENDS = rand(9, 8, 16), torch.tensor([0, 2, 9])
PAIRS = (None, None, 10, 12)
FORWARD, BACK = (0.0, False), (None, None, 10, 12, 0.0, False, SEED, SEED)

BY_FORMULA: list[tuple[Any, tuple[Any, ...]]] = [
    (A._scaled_mm, (rand(16, 32).to(FP8), rand(32, 16).to(FP8), SEED, SEED)),
    (A._scaled_dot_product_flash_attention, (Q, K, V)),
    (A._scaled_dot_product_cudnn_attention, (Q, K, V, None, True)),
    (A._scaled_dot_product_efficient_attention, (Q, K, V, None, True)),
    (A._scaled_dot_product_flash_attention_backward, (Q, Q, K, V, Q, LSE, *BACK)),
    (A._scaled_dot_product_cudnn_attention_backward, (Q, Q, K, V, Q, LSE, SEED, SEED, None, *BACK)),
    (
        A._scaled_dot_product_efficient_attention_backward,
        (Q, Q, K, V, None, Q, LSE, SEED, SEED, 0.0, [True] * 4),
    ),
]
"""Operators that need a GPU: torch's formula is asked directly."""


@pytest.mark.parametrize(("op", "args"), ON_CPU, ids=range(len(ON_CPU)))
def test_what_runs_here_is_counted_as_torch_counts_it(op: Any, args: tuple[Any, ...]) -> None:
    with FlopCounterMode(display=False) as counter:
        out = op(*args)
    assert ours(op, args, out) == counter.get_total_flops() > 0


@pytest.mark.parametrize(("op", "args"), BY_FORMULA, ids=range(len(BY_FORMULA)))
def test_what_needs_a_gpu_follows_torch_s_formula(op: Any, args: tuple[Any, ...]) -> None:
    assert ours(op, args, ()) == flop_registry[op](*args) > 0


def _varlen(formula: Callable[..., int], first: tuple[Any, ...], *rest: Any) -> int:
    return formula(*first, PACKED, PACKED, PACKED, *rest, ENDS, ENDS, 7, 7)


def test_sequences_end_to_end_count_as_torch_does_where_the_ends_are_known() -> None:
    ends = ENDS.tolist()
    forward = (PACKED, PACKED, PACKED, ends, ends, 7, 7, 0.0, False, False)
    theirs = _varlen(flop_registry[A._flash_attention_forward], ())
    assert ours(A._flash_attention_forward, forward, ()) == theirs
    back = (PACKED,) * 5 + (LSE, ends, ends, 7, 7, 0.0, False, SEED, SEED)
    theirs = _varlen(flop_registry[A._flash_attention_backward], (PACKED,), PACKED, LSE)
    assert ours(A._flash_attention_backward, back, ()) == theirs


def test_the_weight_gradient_of_groups_is_not_counted_groups_times() -> None:
    """torch takes the weight's gradient for one of full width: `groups` times too much."""
    rest = (*HYPER, False, [0, 0], 2)
    weight = rand(6, 2, 3, 3)
    grad = A.convolution(IMAGE, weight, None, *rest)
    for mask, factor in (([True, False, False], 1), ([False, True, False], 2)):
        args = (grad, IMAGE, weight, [6], *rest, mask)
        with FlopCounterMode(display=False) as counter:
            out = A.convolution_backward(*args)
        assert ours(A.convolution_backward, args, out) * factor == counter.get_total_flops()


def test_every_operator_that_torch_counts_has_a_cost() -> None:
    packets = {f"aten::{op.__name__}" for op in flop_registry if hasattr(op, "overloads")}
    assert packets and [name for name in packets if not has_cost(name)] == []

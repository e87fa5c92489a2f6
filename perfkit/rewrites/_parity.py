"""Proof that a form computes what the found code computes, in value and in gradient.

The found code runs in float64; the form runs in the dtype under proof on the same numbers. Outputs
are weighted by a fixed random cotangent and differentiated. An error is the largest absolute
difference over the largest absolute value of the found result (of 1e-30 at least), for each tensor.

A form that returns a constant passes every timer and every test of values that happen to be small;
therefore *vacuity* is tested on its own: wherever the found code has a gradient other than zero,
the form must have one.
"""

from __future__ import annotations

import functools
import math
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from perfkit.rewrites import _tree
from perfkit.rewrites._rewrite import Case, Form, Inputs, Rewrite

TOLERANCE = {
    torch.float64: 1e-9,
    torch.float32: 1e-5,
    torch.float16: 5e-3,
    torch.bfloat16: 3e-2,
}
_TINY = 1e-30


@dataclass(frozen=True)
class Parity:
    """Outcome of one proof. Errors are relative, None where there was nothing to compare."""

    form: str
    case: str
    dtype: str
    value_error: float | None
    gradient_error: float | None
    reason: str

    @property
    def holds(self) -> bool:
        return not self.reason


@dataclass(frozen=True)
class Result:
    """What a form gave: its output and the gradients of the inputs that require one."""

    output: Any
    gradients: tuple[Tensor | None, ...]


def evaluate(form: Form, inputs: Inputs, backward: bool = True) -> Result:
    """Run a form, and differentiate whatever of its output can be."""
    output = forward(form, inputs)
    weights = cotangents(output) if backward else []
    return Result(output, gradients(output, inputs, weights))


def forward(form: Form, inputs: Inputs) -> Any:
    """The output of a form."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Converting a tensor with requires_grad")
        return form.run(*inputs)


def cotangents(output: Any) -> list[Tensor]:
    """Weights of each tensor of an output that can be differentiated."""
    return [cotangent(tensor) for tensor in _tree.tensors(output) if tensor.requires_grad]


def gradients(output: Any, inputs: Inputs, weights: list[Tensor]) -> tuple[Tensor | None, ...]:
    """Of the inputs that require one; all None without weights."""
    wanted = [tensor for tensor in _tree.tensors(inputs) if tensor.requires_grad]
    if not wanted or not weights:
        return tuple(None for _ in wanted)
    outputs = [tensor for tensor in _tree.tensors(output) if tensor.requires_grad]
    return tuple(torch.autograd.grad(outputs, wanted, weights, allow_unused=True))


def cotangent(tensor: Tensor) -> Tensor:
    """Fixed weights of the output's elements, never zero, the same in every dtype. Not to be changed."""
    return _weights(tuple(tensor.shape)).to(tensor.device, tensor.dtype)


@functools.lru_cache(maxsize=4)  # drawing millions of numbers would drown the times of the forms
def _weights(shape: tuple[int, ...]) -> Tensor:
    generator = torch.Generator().manual_seed(math.prod(shape))
    return 0.5 + torch.rand(shape, generator=generator)


def parity(
    rewrite: Rewrite,
    form: Form,
    inputs: Inputs,
    case: str,
    dtype: torch.dtype = torch.float32,
    device: torch.device | None = None,
    stays_on_host: tuple[int, ...] = (),
    exact: Result | None = None,
) -> Parity:
    """Prove one form on one set of inputs.

    Args:
        inputs: as `Case.make` gives them; not changed.
        device: where the form runs; the found code runs there too.
        stays_on_host: as in `Case`.
        exact: what `reference_result` gave on the same inputs, where several forms are proven.
    """
    here = device or torch.device("cpu")
    exact = exact or reference_result(rewrite, inputs, here, stays_on_host)
    given = evaluate(form, _tree.placed(inputs, here, stays_on_host, dtype))
    limit = form.tolerance.get(dtype, TOLERANCE[dtype])
    value, reason = _compare_outputs(exact.output, given.output, limit)
    slope, slope_reason = _compare_gradients(exact.gradients, given.gradients, limit)
    name = str(dtype).removeprefix("torch.")
    return Parity(form.name, case, name, value, slope, reason or slope_reason)


def reference_result(
    rewrite: Rewrite, inputs: Inputs, device: torch.device, stays_on_host: tuple[int, ...] = ()
) -> Result:
    """What the found code gives in float64: what every form is held against."""
    placed = _tree.placed(inputs, device, stays_on_host, torch.float64)
    return evaluate(rewrite.reference, placed)


def case_parity(
    rewrite: Rewrite, form: Form, case: Case, dtype: torch.dtype = torch.float32, seed: int = 0
) -> Parity:
    """Prove one form on one declared case."""
    return parity(rewrite, form, case.make(seed), case.name, dtype)


def _compare_outputs(exact: Any, given: Any, limit: float) -> tuple[float | None, str]:
    ours, theirs = list(_tree.leaves(given)), list(_tree.leaves(exact))
    if len(ours) != len(theirs):
        return None, f"{len(ours)} outputs instead of {len(theirs)}"
    worst: float | None = None
    for mine, right in zip(ours, theirs, strict=True):
        if not isinstance(right, Tensor):
            if isinstance(right, float):
                right, mine = (torch.tensor(n, dtype=torch.float64) for n in (right, mine))
            elif mine != right:
                return None, f"{mine!r} instead of {right!r}"
            else:
                continue
        error, reason = _error(mine, right)
        if reason:
            return error, reason
        worst = max(worst or 0.0, error)
        if error > limit:
            return worst, f"value off by {error:.1e}, allowed {limit:.0e}"
    return worst, ""


def _compare_gradients(
    exact: tuple[Tensor | None, ...], given: tuple[Tensor | None, ...], limit: float
) -> tuple[float | None, str]:
    worst: float | None = None
    for mine, right in zip(given, exact, strict=True):
        if right is None or not right.any():
            if mine is not None and mine.any():
                return worst, "a gradient where the found code has none"
            continue
        if mine is None or not mine.any():
            return worst, "no gradient where the found code has one: the objective is gone"
        error, reason = _error(mine, right)
        if reason:
            return worst, f"gradient: {reason}"
        worst = max(worst or 0.0, error)
        if error > limit:
            return worst, f"gradient off by {error:.1e}, allowed {limit:.0e}"
    return worst, ""


def _error(mine: Any, right: Tensor) -> tuple[float, str]:
    """(relative error, why they cannot be compared)."""
    if not isinstance(mine, Tensor) or mine.shape != right.shape:
        return 0.0, f"shape {getattr(mine, 'shape', mine)} instead of {tuple(right.shape)}"
    if not right.is_floating_point():
        return 0.0, "" if torch.equal(mine.to(right.dtype), right) else "different integers"
    if right.numel() == 0:
        return 0.0, ""
    mine = mine.detach().to(right.dtype)
    right = right.detach()
    same = (mine == right) | (mine.isnan() & right.isnan())
    finite = right[right.isfinite()]
    scale = max(float(finite.abs().max()) if finite.numel() else 0.0, _TINY)
    error = torch.where(same, 0.0, (mine - right).abs()) / scale
    return float(error.nan_to_num(nan=float("inf")).max()), ""

"""What a program computes, and whether two results are the same to the last bit."""

from __future__ import annotations

import math

import torch


def namespace(source: str) -> dict[str, object]:
    """The names a program defines."""
    names: dict[str, object] = {"__name__": "program"}
    exec(compile(source, "program.py", "exec"), names)
    return names


def assert_same(a: object, b: object) -> None:
    """Fails where two results differ; a number and a scalar tensor are different things.

    A sum that starts as 0 may end as 0.0 where nothing was added: the page says so.
    """
    numbers = isinstance(a, (int, float)) and isinstance(b, (int, float))
    assert numbers or type(a) is type(b), (a, b)
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape
        assert torch.equal(a.nan_to_num(7.5), b.nan_to_num(7.5)), (a, b)
        assert torch.equal(a.isnan(), b.isnan()) and a.requires_grad == b.requires_grad
    elif isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    elif isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        assert math.isnan(b)
    else:
        assert a == b

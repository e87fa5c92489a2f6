from __future__ import annotations

import pytest

from perfkit.costs import Call, Cost
from perfkit.costs._index import cost, is_free
from tests.costs.calls import f32


@pytest.mark.parametrize("name", ["clone", "contiguous", "zero_", "copy_", "_local_scalar_dense"])
def test_what_moves_bytes_is_not_free(name: str) -> None:
    assert not is_free(f"aten::{name}")


@pytest.mark.parametrize("name", ["view", "transpose", "as_strided", "empty", "detach", "unbind"])
def test_views_and_allocations_cost_nothing(name: str) -> None:
    assert cost(Call(f"aten::{name}", (f32(1000),))) == Cost(0, 0, 0)

"""Shapes and dtypes that are worked out are those that torch makes."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.costs import Operand, Unknown
from perfkit.costs._shapes import (
    SCALAR_TYPES,
    axes,
    broadcast,
    dtype_named,
    output,
    pair,
    promote,
    replaced,
    without,
)
from tests.costs.calls import f32

DTYPES = ("bool", "uint8", "int32", "int64", "bfloat16", "float16", "float32", "float64")


def _tensor(dtype: str, dims: int) -> torch.Tensor:
    return torch.zeros((2,) * dims, dtype=getattr(torch, dtype))


@pytest.mark.parametrize(("a", "b"), product(DTYPES, DTYPES))
@pytest.mark.parametrize("dims", [(1, 1), (1, 0), (0, 1)])
def test_dtypes_mix_as_torch_mixes_them(a: str, b: str, dims: tuple[int, int]) -> None:
    if {a, b} == {"uint8", "int8"}:
        pytest.skip("signed and unsigned")
    expected = torch.result_type(_tensor(a, dims[0]), _tensor(b, dims[1]))
    found = promote(Operand((2,) * dims[0], a), Operand((2,) * dims[1], b))
    assert found == str(expected).removeprefix("torch.")


@pytest.mark.parametrize(("a", "number"), product(DTYPES, (True, 2, 1.5)))
def test_numbers_decide_only_by_category(a: str, number: float) -> None:
    expected = torch.result_type(_tensor(a, 1), number)
    assert promote(Operand((2,), a), number) == str(expected).removeprefix("torch.")


@settings(deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([1, 2, 3]), max_size=3).map(tuple), min_size=1, max_size=3)
)
def test_shapes_stretch_as_torch_stretches_them(shapes: list[tuple[int, ...]]) -> None:
    try:
        expected = tuple(torch.broadcast_shapes(*shapes))
    except RuntimeError:
        with pytest.raises(Unknown):
            broadcast(*shapes)
    else:
        assert broadcast(*shapes) == expected


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.lists(st.integers(0, 3), min_size=3, max_size=3),
)
def test_stored_bytes_are_never_more_than_distinct_places(
    shape: list[int], strides: list[int]
) -> None:
    steps = strides[: len(shape)]
    places = {
        sum(i * s for i, s in zip(at, steps, strict=True))
        for at in product(*(range(n) for n in shape))
    }
    stored = Operand(tuple(shape), "uint8", tuple(steps)).nbytes
    reach = 1 + sum((n - 1) * s for n, s in zip(shape, steps, strict=True))
    assert len(places) <= stored <= reach


def test_dtype_numbers_are_torch_s() -> None:
    numbers = [SCALAR_TYPES.index(name) for name in ("bfloat16", "float8_e4m3fn", "bool")]
    assert numbers == [15, 24, 11]
    assert dtype_named(15) == dtype_named("torch.bfloat16") == "bfloat16"
    assert dtype_named(True) is None and dtype_named(None) is None and dtype_named(99) is None


def test_dimensions_count_from_either_end_and_none_is_all() -> None:
    assert axes((-1, 0), 3) == (0, 2) and axes(None, 2) == axes((), 2) == (0, 1)
    assert without((4, 5, 6), (1,)) == (4, 6) and replaced((4, 5), -1, 9) == (4, 9)
    assert pair(3, 2) == (3, 3) and pair((1, 2), 2) == (1, 2)
    with pytest.raises(Unknown):
        pair(None, 2)


def test_a_recorded_output_goes_before_a_computed_one() -> None:
    from perfkit.costs import Call

    assert output(Call("aten::x", (), (f32(3),)), (9,), "int64") == f32(3)
    assert output(Call("aten::x", ()), (9,), "int64") == Operand((9,), "int64")

"""Recorded arguments as calls: types and printed values understood, the rest left unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.analysis.trace_calls import (
    NO_LIST,
    NO_LIST_DTYPE,
    NO_SHAPES,
    cost_by_kernels,
    cost_of,
    dtype_of,
    value_of,
)
from perfkit.costs import _index
from perfkit.costs._call import SIZES, Cost, Operand
from perfkit.costs._index import NotKnown
from perfkit.costs._signature import signature

CAT = json.dumps([[[[8], [8]], []], ["TensorList", "Scalar"], [[[1], [1]], []], ["", "0"]])


def text(dims: list[Any], types: list[str], concrete: list[str] | None = None) -> str:
    return json.dumps([dims, types, None, concrete])


# What is not known.


def test_an_operator_without_shapes_has_no_cost() -> None:
    _, cost = cost_of("aten::mm", None)
    assert cost == NotKnown(NO_SHAPES)


def test_a_damaged_signature_has_no_cost() -> None:
    assert cost_of("aten::mm", "[[[1")[1] == NotKnown(NO_SHAPES)


def test_an_operator_without_model_says_so() -> None:
    _, cost = cost_of("mylib::gate", text([[2, 2]], ["float"]))
    assert cost == NotKnown("no cost model for mylib::gate")


def test_a_list_whose_dtype_nobody_recorded_has_no_cost() -> None:
    assert cost_of("aten::cat", CAT)[1] == NotKnown(NO_LIST_DTYPE)


def test_a_list_that_was_left_out_has_no_cost() -> None:
    assert cost_of("aten::cat", text([[], []], ["TensorList", "Scalar"]))[1] == NotKnown(NO_LIST)


def test_arguments_of_another_operator_do_not_crash() -> None:
    _, cost = cost_of("aten::addmm", text([[3], [3]], ["float", "float"]))
    assert isinstance(cost, NotKnown)
    assert cost.reason


def test_absurd_sizes_are_not_believed() -> None:
    huge = 2**40
    _, cost = cost_of("aten::mm", text([[huge, huge], [huge, huge]], ["float"] * 2))
    assert cost == NotKnown("its recorded sizes are absurd")


@pytest.mark.parametrize("kernels", [(), ("gemm",), ("Cat<OpaqueType<2u>>", "Cat<OpaqueType<4u>>")])
def test_kernels_that_tell_no_single_size_leave_it_unknown(kernels: tuple[str, ...]) -> None:
    assert cost_by_kernels(cost_of("aten::cat", CAT)[0], kernels) == NotKnown(NO_LIST_DTYPE)


# What is known.


def test_a_product_is_costed_with_its_dtype() -> None:
    call, cost = cost_of("aten::mm", text([[2, 3], [3, 4]], ["c10::BFloat16"] * 2))
    assert cost == Cost(48, 2 * (6 + 12), 2 * 8, "matmul", "bfloat16")
    assert signature(call) == "bf16[2,3] x bf16[3,4]"


def test_views_cost_nothing_whatever_was_recorded() -> None:
    assert cost_of("aten::view", None)[1] == Cost(0, 0, 0)


def test_the_size_of_list_elements_comes_from_the_kernels() -> None:
    call, _ = cost_of("aten::cat", CAT)
    cost = cost_by_kernels(call, ["CatArrayBatchedCopy<at::OpaqueType<2u>, unsigned int>"])
    assert cost == Cost(0, 32, 32, dtype="")
    assert signature(call) == "?[8] x ?[8]"


def test_the_dtype_of_a_fused_list_operator_comes_from_its_functor() -> None:
    both = [
        [[[8], [8]], [[8], [8]], []],
        ["TensorList", "TensorList", "Scalar"],
        None,
        ["", "", "1"],
    ]
    call, _ = cost_of("aten::_foreach_add_", json.dumps(both))
    cost = cost_by_kernels(call, ["multi_tensor_apply_kernel<BinaryOpListAlphaFunctor<float, 2>>"])
    assert isinstance(cost, Cost)
    assert (cost.dtype, cost.written) == ("float32", 64)


def test_a_model_that_was_registered_serves_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_index, "_custom", {})
    _index.register_cost("mylib::gate", lambda call: Cost(call.operand(0).elements, 0, 0))
    assert cost_of("mylib::gate", text([[5]], ["float"]))[1] == Cost(5, 0, 0)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("float", "float32"), ("double", "float64"), ("int", "int32"), ("long int", "int64"),
        ("c10::Half", "float16"), ("c10::BFloat16", "bfloat16"), ("bool", "bool"),
        ("unsigned char", "uint8"), ("signed char", "int8"), ("short int", "int16"),
        ("c10::Float8_e4m3fn", "float8_e4m3fn"), ("c10::Float8_e5m2fnuz", "float8_e5m2fnuz"),
        ("c10::complex<float>", "complex64"), ("c10::complex<c10::Half>", "complex32"),
        ("c10::qint8", "qint8"), ("c10::Float4_e2m1fn_x2", "float4_e2m1fn_x2"),
    ],
)  # fmt: skip
def test_names_of_c_types_become_torchs(written: str, expected: str) -> None:
    assert dtype_of(written) == expected
    assert expected in SIZES


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("", None), ("None", None), ("True", True), ("False", False), ("12", 12), ("-1", -1),
        ("0.", 0.0), ("1e-05", 1e-5), ("0.125", 0.125), ("[]", ()), ("[1, 2]", (1, 2)),
        ("[True, False]", (True, False)), ("[0.5]", (0.5,)), ("sum", "sum"), ('"none"', "none"),
        ("9" * 30, float("9" * 30)), ("[", "["), ("cuda:0", "cuda:0"),
    ],
)  # fmt: skip
def test_printed_values(printed: str, expected: object) -> None:
    found = value_of(printed)
    assert found == expected
    assert type(found) is type(expected)


NAMES = sorted(name for name in _index._functions())
SIZE = st.integers(0, 9)
SHAPE = st.lists(SIZE, max_size=4)
TYPE = st.sampled_from(["float", "c10::Half", "long int", "TensorList", "Scalar", "", "?"])


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.lists(SHAPE | st.lists(SHAPE, max_size=3), max_size=6),
    st.lists(TYPE, max_size=6),
    st.lists(st.text("0123456789[],.-TrueFals ", max_size=6), max_size=6),
)
def test_every_model_bears_any_arguments(
    name: str, dims: list[Any], types: list[str], concrete: list[str]
) -> None:
    call, cost = cost_of(name, text(dims, types, concrete))
    assert all(isinstance(operand, Operand) for operand in call.operands)
    if isinstance(cost, Cost):
        assert min(cost.flops, cost.read, cost.written) >= 0
    else:
        assert cost.reason

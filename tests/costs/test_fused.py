"""Kernels of Inductor by the operators they came from."""

from __future__ import annotations

import pytest

from perfkit.costs import Call, Cost, Unknown
from perfkit.costs._fused import fused, sources
from perfkit.costs._index import NotKnown, _names, cost, has_cost
from tests.costs.calls import bf16, f32

ROWS, WEIGHT = bf16(8, 512, 256), bf16(256)
N = ROWS.elements


@pytest.mark.parametrize(
    "name", ["triton_for_fused_0", "triton_poi_fused_0", "my_kernel", "triton_poi_fused_oddity_3"]
)
def test_a_name_that_lists_no_operator_is_not_known(name: str) -> None:
    assert sources(name, _names()) == ()
    assert not has_cost(name)
    assert isinstance(cost(Call(name, (ROWS,))), NotKnown)


def test_a_kernel_without_shapes_is_not_known() -> None:
    found = cost(Call("triton_poi_fused_add_0", ()))
    assert isinstance(found, NotKnown) and "shapes" in found.reason


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("triton_poi_fused_add_relu_0", "add relu"),
        ("triton_poi_fused_add_relu", "add relu"),
        ("triton_poi_fused__to_copy_mul_silu_12", "_to_copy mul silu"),
        (
            "triton_red_fused__unsafe_view_add_mean_mul_pow_rsqrt_1",
            "_unsafe_view add mean mul pow rsqrt",
        ),
        (
            "triton_per_fused_native_layer_norm_native_layer_norm_backward_7",
            "native_layer_norm native_layer_norm_backward",
        ),
        ("triton_poi_fused_leaky_relu_backward_3", "leaky_relu_backward"),
    ],
)
def test_a_name_is_cut_into_the_operators_it_lists(name: str, listed: str) -> None:
    assert sources(name, _names()) == tuple(f"aten::{op}" for op in listed.split())
    assert has_cost(name)


def test_sources_add_up_their_flops_and_only_the_ends_move_bytes() -> None:
    parts = [Cost(100, 400, 400), Cost(50, 400, 400)]
    assert fused(parts, (f32(100),), (f32(50),)) == Cost(150, 400, 200)
    with pytest.raises(Unknown):
        fused([], (f32(1),), ())


def test_a_product_among_the_sources_makes_the_kernel_one() -> None:
    parts = [Cost(9, 0, 0, "vector", "float32"), Cost(5, 0, 0, "matmul", "bfloat16")]
    assert (fused(parts, (), ()).unit, fused(parts, (), ()).dtype) == ("matmul", "bfloat16")


def test_from_a_name_every_source_runs_over_the_index_space() -> None:
    found = cost(Call("triton_poi_fused_add_relu_0", (ROWS, WEIGHT, ROWS, N)))
    assert found == Cost(2 * N, 2 * (N + 256), 2 * N, "vector", "bfloat16")


def test_a_template_s_product_takes_its_operands() -> None:
    a, b, out = bf16(64, 32), bf16(32, 16), bf16(64, 16)
    found = cost(Call("triton_tem_fused_mm_4", (a, b, out)))
    assert isinstance(found, Cost)
    assert (found.unit, found.flops) == ("matmul", 2 * 64 * 32 * 16)
    assert (found.read, found.written) == (2 * (2048 + 512), 2 * 1024)


def test_a_norm_is_costed_along_its_rows() -> None:
    found = cost(Call("triton_per_fused_native_layer_norm_0", (ROWS, ROWS, 4096, 256)))
    assert isinstance(found, Cost) and found.flops == 6 * N

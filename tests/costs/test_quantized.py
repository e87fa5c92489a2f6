from __future__ import annotations

from perfkit.costs import Call, Cost, Operand
from perfkit.costs._index import NotKnown, cost
from tests.costs.calls import f32, known, moves

INT8 = Operand((8, 64), "quint8")


def test_packed_weights_hide_their_shapes() -> None:
    for name in ("linear", "conv2d"):
        found = cost(Call(f"quantized::{name}", (INT8, None, 0.1, 0)))
        assert isinstance(found, NotKnown) and "packed weight" in found.reason


def test_a_linear_layer_is_known_by_its_output() -> None:
    out = Operand((8, 32), "quint8")
    found = cost(Call("quantized::linear", (INT8, None, 0.1, 0), (out,)))
    assert found == Cost(2 * 8 * 64 * 32, 512 + 64 * 32, 256, "matmul", "int8")


def test_numbers_shrink_to_a_byte_and_grow_back() -> None:
    assert moves("quantize_per_tensor", f32(100), 0.1, 0, 12) == (400, 400, 100)
    assert moves("dequantize", Operand((100,), "qint8")) == (200, 100, 400)


def test_fake_quantisation_stays_float_and_keeps_a_mask() -> None:
    name = "fake_quantize_per_tensor_affine_cachemask"
    assert moves(name, f32(100), 0.1, 0, 0, 255) == (600, 400, 500)
    assert known("fake_quantize_per_tensor_affine", f32(100), 0.1, 0, 0, 255).written == 400

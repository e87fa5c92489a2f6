from __future__ import annotations

from tests.costs.calls import bf16, f32, known, moves, why_not


def test_what_is_not_recorded_is_not_guessed() -> None:
    assert "padding" in why_not("constant_pad_nd", f32(4), None)
    assert "repeats" in why_not("repeat", f32(4), None)
    assert "list" in why_not("cat", None, 0)
    assert why_not("slice_copy", f32(8), 0, 0, 4)


def test_a_copy_reads_one_side_and_writes_the_other() -> None:
    assert moves("copy_", f32(10), bf16(10), False) == (0, 20, 40)
    assert moves("clone", f32(10), None) == (0, 40, 40)
    assert known("copy_", f32(100, 10), f32(10)).read == 40


def test_a_cast_writes_its_new_dtype() -> None:
    assert moves("_to_copy", f32(10), 15) == (0, 40, 20)
    assert moves("_to_copy", f32(10), None, outputs=(bf16(10),)) == (0, 40, 20)


def test_stretched_and_overlapping_inputs_are_read_as_they_are_stored() -> None:
    assert known("clone", f32(1000, 4, strides=(0, 1))).read == 16
    assert known("clone", f32(98, 3, strides=(1, 1))).read == 400


def test_joining_padding_and_repeating() -> None:
    assert moves("cat", (f32(3, 4), f32(2, 4)), 0) == (0, 80, 80)
    assert moves("constant_pad_nd", f32(3, 4), (1, 2), 0) == (0, 48, 4 * 3 * 7)
    assert moves("repeat", f32(4), (3, 2)) == (0, 16, 4 * 24)


def test_the_gradient_of_a_slice_is_as_large_as_the_whole() -> None:
    assert moves("slice_backward", f32(2, 4), (100, 4), 0, 0, 2, 1) == (0, 32, 1600)


def test_one_number_for_the_host() -> None:
    assert moves("_local_scalar_dense", f32()) == (0, 4, 4)

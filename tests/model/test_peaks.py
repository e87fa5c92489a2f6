from __future__ import annotations

from perfkit.model.peaks import Peak, Peaks

FAST, TF32, SLOW = (Peak(value, "tabulated", "a data sheet") for value in (1e15, 4e14, 6e13))
PEAKS = Peaks("a device", {"bfloat16": FAST, "tf32": TF32}, {"float32": SLOW})


def test_matrix_units_are_used_for_the_dtypes_they_take() -> None:
    assert PEAKS.flops_per_s("matmul", "bfloat16") is FAST
    assert PEAKS.flops_per_s("matmul", "float32") is SLOW
    assert PEAKS.flops_per_s("matmul", "float32", tf32=True) is TF32
    assert PEAKS.flops_per_s("vector", "float32", tf32=True) is SLOW


def test_what_is_not_known_is_none() -> None:
    assert PEAKS.flops_per_s("matmul", "float64") is None
    assert PEAKS.flops_per_s("vector", "bfloat16") is None

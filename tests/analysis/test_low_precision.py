"""What a narrower dtype would change."""

from __future__ import annotations

import pytest

from perfkit.analysis.low_precision import low_precision, low_precision_table
from perfkit.model.peaks import Peaks
from tests.cost_rows import CPU, GPU, peak, product, row, unknown


def changes(*costs, peaks: Peaks = GPU) -> dict[str, object]:
    return {each.change: each for each in low_precision(costs, peaks)}


def test_nothing_changes_where_the_device_knows_no_narrower_dtype() -> None:
    assert list(changes(product(), peaks=CPU)) == ["as it is"]


def test_what_is_narrow_already_stays() -> None:
    assert list(changes(row(dtype="bfloat16"), row(dtype="int64"), unknown())) == ["as it is"]


def test_tf32_changes_no_byte_and_bfloat16_halves_them() -> None:
    found = changes(product(us=8, read=6 * 10**6, written=2 * 10**6))
    assert found["as it is"].floor_ns == 8000
    assert found["matrix products in tf32"].floor_ns == 8000
    assert found["matrix products in tf32"].nbytes == 8 * 10**6
    assert found["floats as bfloat16"].nbytes == 4 * 10**6
    assert found["floats as bfloat16"].intensity == 2.0
    assert found["floats as bfloat16"].floor_ns == 4000


def test_eight_bit_products_write_sixteen_bits() -> None:
    found = changes(product(us=8, read=4 * 10**6, written=4 * 10**6))
    assert found["matrix products in float8_e4m3fn"].nbytes == 10**6 + 2 * 10**6


def test_the_share_of_flops_that_changes_is_told() -> None:
    found = changes(product(us=3), row(flops=10**6))
    assert found["matrix products in tf32"].changed == pytest.approx(0.75)
    assert found["floats as bfloat16"].changed == 1.0


def test_an_older_gpu_takes_float16_instead() -> None:
    old = Peaks("old", {"float16": peak(1e12)}, {"float32": peak(1e12)}, peak(1e12))
    assert list(changes(product(), peaks=old)) == ["as it is", "floats as float16"]


def test_the_table_tells_the_gain_of_the_floor() -> None:
    table = low_precision_table(low_precision((row(us=4),), GPU, steps=2))
    assert [record["speedup"] for record in table.records()] == [1.0, 2.0]
    assert [record["floor_ns"] for record in table.records()] == [2000, 1000]

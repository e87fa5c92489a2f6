from __future__ import annotations

import pytest

from perfkit.costs import Operand
from tests.costs.calls import bf16, f32, i64, known, moves

X = f32(4, 100)


def test_truth_values_take_no_floating_point() -> None:
    assert moves("any", Operand((40,), "bool")) == (0, 40, 1)
    assert moves("sum", i64(40), None) == (0, 320, 8)


@pytest.mark.parametrize(
    ("name", "per"), [("sum", 1), ("var", 4), ("logsumexp", 4), ("linalg_vector_norm", 2)]
)
def test_each_element_is_folded_in(name: str, per: int) -> None:
    found = known(name, X, (1,), (1,), None)
    assert 400 * per <= found.flops <= 400 * per + 8
    assert (found.read, found.written) == (1600, 16)


def test_a_lone_dtype_is_no_dimension() -> None:
    assert moves("sum", bf16(4, 100), 6) == (400, 800, 4)
    assert moves("sum", bf16(4, 100), (0,), False, 6) == (400, 800, 400)


def test_a_maximum_is_of_all_along_a_dimension_or_of_two() -> None:
    assert moves("max", X) == (400, 1600, 4)
    assert moves("max", X, 1, False) == (400, 1600, 4 * 12)
    assert moves("max", X, X) == (400, 3200, 1600)


def test_stretched_inputs_are_read_once_and_every_element_added() -> None:
    assert moves("sum", f32(1000, 4, strides=(0, 1)), None) == (4000, 16, 4)


def test_scans_write_as_much_as_they_read() -> None:
    assert moves("cumsum", X, 1, None) == (400, 1600, 1600)
    assert moves("cummax", X, 1) == (400, 1600, 4800)

from __future__ import annotations

from perfkit.costs._call import Call, Operand
from perfkit.costs._index import NotKnown, cost


def operand(*shape: int, dtype: str = "bfloat16") -> Operand:
    return Operand(shape, dtype)


def test_a_product_takes_two_operations_per_term_and_moves_each_operand_once() -> None:
    found = cost(Call("aten::mm", (operand(3, 5), operand(5, 7))))
    assert (found.flops, found.read, found.written) == (2 * 3 * 5 * 7, 2 * (15 + 35), 2 * 21)
    assert (found.unit, found.dtype) == ("matmul", "bfloat16")


def test_a_bias_is_read_as_it_is_stored() -> None:
    bias = Operand((3, 7), "bfloat16", (0, 1))
    found = cost(Call("aten::addmm", (bias, operand(3, 5), operand(5, 7), 1, 1)))
    assert found.read == 2 * (15 + 35 + 7)


def test_a_batch_multiplies_everything() -> None:
    found = cost(Call("aten::bmm", (operand(4, 3, 5), operand(4, 5, 7))))
    assert (found.flops, found.written) == (4 * 2 * 3 * 5 * 7, 2 * 4 * 21)


def test_shapes_that_do_not_fit_or_are_missing_are_not_known() -> None:
    assert isinstance(cost(Call("aten::mm", (operand(3, 5), operand(6, 7)))), NotKnown)
    assert isinstance(cost(Call("aten::mm", ())), NotKnown)
    assert isinstance(cost(Call("aten::mm", (operand(2, 2, dtype="odd"),) * 2)), NotKnown)

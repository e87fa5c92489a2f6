"""Matrix products. 2·m·n·k FLOPs, as torch.utils.flop_counter counts; each operand travels once."""

from __future__ import annotations

from perfkit.costs._call import Call, Cost, Operand, Unknown, made, nbytes


def _product(
    rows: int,
    inner: int,
    columns: int,
    batch: int,
    operands: tuple[Operand | None, ...],
    out: Operand,
) -> Cost:
    like = next(operand for operand in operands if operand is not None)
    flops = 2 * batch * rows * inner * columns
    return Cost(flops, nbytes(*operands), out.nbytes, "matmul", like.dtype)


def _mm(call: Call) -> Cost:
    a, b = call.operand(0), call.operand(1)
    if len(a.shape) != 2 or len(b.shape) != 2 or a.shape[1] != b.shape[0]:
        raise Unknown(f"{call.name} of {a.shape} and {b.shape}")
    out = made((a.shape[0], b.shape[1]), a)
    return _product(a.shape[0], a.shape[1], b.shape[1], 1, (a, b), out)


def _addmm(call: Call) -> Cost:
    bias, a, b = call.operand(0), call.operand(1), call.operand(2)
    out = made((a.shape[0], b.shape[1]), a)
    return _product(a.shape[0], a.shape[1], b.shape[1], 1, (a, b, bias), out)


def _bmm(call: Call) -> Cost:
    a, b = call.operand(0), call.operand(1)
    out = made((*a.shape[:2], b.shape[2]), a)
    return _product(a.shape[1], a.shape[2], b.shape[2], a.shape[0], (a, b), out)


def _baddbmm(call: Call) -> Cost:
    bias, a, b = call.operand(0), call.operand(1), call.operand(2)
    out = made((*a.shape[:2], b.shape[2]), a)
    return _product(a.shape[1], a.shape[2], b.shape[2], a.shape[0], (a, b, bias), out)


COSTS = {
    "aten::mm": _mm,
    "aten::addmm": _addmm,
    "aten::bmm": _bmm,
    "aten::baddbmm": _baddbmm,
}

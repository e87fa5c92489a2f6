"""Segments and counts: reductions over runs, repeats by a count, histograms."""

from __future__ import annotations

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown, nbytes
from perfkit.costs._shapes import operations, output, recorded


def _segment_reduce(call: Call) -> Cost:
    """One operation per element; a row of output per length."""
    data, lengths = call.operand(0), call.optional(2)
    offsets = call.optional(4)
    axis = int(call.plain(5, 0))
    if lengths is not None:
        head = lengths.shape
    elif offsets is not None:
        head = (*offsets.shape[:-1], offsets.shape[-1] - 1)
    else:
        raise Unknown(f"{call.name}: neither lengths nor offsets are recorded")
    out = output(call, (*head, *data.shape[axis + 1 :]), data.dtype)
    read = nbytes(data, lengths, offsets)
    return Cost(operations(data.elements, data.dtype), read, out.nbytes, dtype=data.dtype)


def _segment_backward(call: Call) -> Cost:
    grad, out, data = call.operand(0), call.operand(1), call.operand(2)
    read = nbytes(grad, out, data, call.optional(4), call.optional(5))
    made = data.elements * data.itemsize
    return Cost(operations(data.elements, data.dtype), read, made, dtype=data.dtype)


def _repeat_interleave(call: Call) -> Cost:
    """Positions by counts; how many there are is data, if not said (`output_size`)."""
    repeats = call.operand(0)
    said = call.plain(1)
    if call.outputs or not isinstance(said, int):
        out = recorded(call, "the repeats say how long it gets")[0]
    else:
        out = Operand((said,), repeats.dtype)
    return Cost(0, repeats.nbytes, out.nbytes, dtype=repeats.dtype)


def _counted(call: Call) -> Cost:
    """Every element is put into a bin."""
    self = call.operand(0)
    made = nbytes(*recorded(call, "the number of bins is not told by shapes"))
    read = nbytes(*call.operands)
    return Cost(operations(2 * self.elements, self.dtype), read, made, dtype=self.dtype)


def _histc(call: Call) -> Cost:
    self, bins = call.operand(0), call.plain(1, 100)
    out = output(call, (int(bins),), self.dtype)
    flops = operations(2 * self.elements, self.dtype)
    return Cost(flops, self.nbytes, out.nbytes, dtype=self.dtype)


def _jagged(call: Call) -> Cost:
    """Between rows end to end and a padded batch: both sides once, no arithmetic."""
    values = call.operand(0)
    made = nbytes(*recorded(call, "the padded length is not told by shapes"))
    return Cost(0, nbytes(*call.operands), made, dtype=values.dtype)


COSTS: dict[str, CostFunction] = {
    "aten::segment_reduce": _segment_reduce,
    "aten::_segment_reduce_backward": _segment_backward,
    "aten::repeat_interleave": _repeat_interleave,
    "aten::bincount": _counted,
    "aten::histogram": _counted,
    "aten::histc": _histc,
    "aten::_jagged_to_padded_dense_forward": _jagged,
    "aten::_padded_dense_to_jagged_forward": _jagged,
    "aten::_pack_padded_sequence": _jagged,
}

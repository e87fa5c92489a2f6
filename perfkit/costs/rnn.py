"""Recurrent layers in one call: two operations per weight and row of every time step.

Rows are the time steps of all sequences together, so packed sequences need nothing more. Weights travel
once, as if they stayed on chip over the steps; larger ones are read again at every step. The gates' own
arithmetic is counted in the fused cells, not in whole layers, where it is small beside the products.
The backward pass has twice the forward's products. torch.utils.flop_counter does not count these.
"""

from __future__ import annotations

from math import prod

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown, nbytes
from perfkit.costs._shapes import operations, written


def _weights(call: Call, x: Operand, matrices: tuple[Operand, ...]) -> int:
    """Products of one pass: 2 per element of every matrix, per row."""
    found = [w for w in matrices if len(w.shape) == 2]
    if not found or not x.shape:
        raise Unknown(f"{call.name}: the weights have no recorded shapes")
    return 2 * prod(x.shape[:-1]) * sum(w.elements for w in found)


def _out(x: Operand, width: int, both_ways: bool) -> Operand:
    return Operand((*x.shape[:-1], width * (2 if both_ways else 1)), x.dtype)


def _library(hx: int, hidden: int, both_ways: int) -> CostFunction:
    """Input, list of weights; `hx`: hidden and cell state; then sizes."""

    def function(call: Call) -> Cost:
        x, matrices = call.operand(0), call.several(1)
        states = (call.operand(hx), call.optional(hx + 1))
        width = int(call.plain(hidden, states[0].shape[-1]))
        result = _out(x, width, call.plain(both_ways) is True)
        made = written(call, result, *states)
        read = nbytes(x, *matrices, *states)
        return Cost(_weights(call, x, matrices), read, made, "matmul", x.dtype)

    return function


def _library_backward(call: Call) -> Cost:
    """Gradients by input, states and all weights."""
    x, matrices = call.operand(0), call.several(1)
    states = (call.operand(4), call.optional(5))
    made = nbytes(*(Operand(o.shape, o.dtype) for o in (x, *matrices)), *states)
    flops = 2 * _weights(call, x, matrices)
    return Cost(flops, nbytes(*call.operands), made, "matmul", x.dtype)


def _flattened(call: Call) -> Cost:
    """All weights copied into one buffer."""
    size = nbytes(*call.several(0))
    return Cost(0, size, size, dtype=call.several(0)[0].dtype if call.several(0) else "float32")


def _layer(call: Call) -> Cost:
    """oneDNN's layer: input, four weights (two of them biases), states."""
    x = call.operand(0)
    matrices = tuple(call.operand(index) for index in (1, 2))
    more = tuple(call.optional(index) for index in (3, 4))
    states = (call.operand(5), call.optional(6))
    made = written(call, _out(x, states[0].shape[-1], False), *states)
    read = nbytes(x, *matrices, *more, *states)
    return Cost(_weights(call, x, matrices), read, made, "matmul", x.dtype)


def _layer_backward(call: Call) -> Cost:
    x = call.operand(0)
    matrices = tuple(call.operand(index) for index in (1, 2))
    made = nbytes(*(Operand(o.shape, o.dtype) for o in call.operands[:7]))
    flops = 2 * _weights(call, x, matrices)
    return Cost(flops, nbytes(*call.operands), made, "matmul", x.dtype)


def _lstm_cell(call: Call) -> Cost:
    """Per hidden unit: four gates summed (and two biases), three sigmoids, two tanh, four to combine."""
    gates, state = call.operand(0), call.operand(2)
    biases = 2 if call.optional(3) is not None else 0
    per_unit = 4 * (1 + biases) + 3 * 4 + 2 + 4
    flops = operations(per_unit * state.elements, gates.dtype)
    made = written(call, state, state, Operand(gates.shape, gates.dtype))
    return Cost(flops, nbytes(*call.operands[:5]), made, dtype=gates.dtype)


def _lstm_cell_backward(call: Call) -> Cost:
    workspace, state = call.operand(4), call.operand(2)
    flops = operations(26 * state.elements, state.dtype)
    made = written(call, Operand(workspace.shape, workspace.dtype), state)
    return Cost(flops, nbytes(*call.operands), made, dtype=state.dtype)


def _gru_cell(call: Call) -> Cost:
    """Per hidden unit: three gates summed (and two biases), two sigmoids, a tanh, five to combine."""
    gates, state = call.operand(0), call.operand(2)
    biases = 2 if call.optional(3) is not None else 0
    flops = operations((3 * (1 + biases) + 2 * 4 + 1 + 5) * state.elements, gates.dtype)
    kept = Operand((*state.shape[:-1], 5 * state.shape[-1]), gates.dtype)
    made = written(call, state, kept)
    return Cost(flops, nbytes(*call.operands[:5]), made, dtype=gates.dtype)


def _gru_cell_backward(call: Call) -> Cost:
    grad, workspace = call.operand(0), call.operand(1)
    flops = operations(20 * grad.elements, grad.dtype)
    gates = Operand((*grad.shape[:-1], 3 * grad.shape[-1]), grad.dtype)
    made = written(call, gates, gates, grad)
    return Cost(flops, nbytes(grad, workspace), made, dtype=grad.dtype)


COSTS: dict[str, CostFunction] = {
    "aten::_cudnn_rnn": _library(4, 7, 13),
    "aten::miopen_rnn": _library(3, 6, 11),
    "aten::_cudnn_rnn_backward": _library_backward,
    "aten::miopen_rnn_backward": _library_backward,
    "aten::_cudnn_rnn_flatten_weight": _flattened,
    "aten::mkldnn_rnn_layer": _layer,
    "aten::mkldnn_rnn_layer_backward": _layer_backward,
    "aten::_thnn_fused_lstm_cell": _lstm_cell,
    "aten::_thnn_fused_lstm_cell_backward": _lstm_cell_backward,
    "aten::_thnn_fused_lstm_cell_backward_impl": _lstm_cell_backward,
    "aten::_thnn_fused_gru_cell": _gru_cell,
    "aten::_thnn_fused_gru_cell_backward": _gru_cell_backward,
}

"""Normalisations: layer, RMS, group, batch; forward and backward; weight norm.

FLOPs per element of the input. Forward: mean 1, variance 3, centre and scale 2, weight and bias 2, so 8
(6 without weight); RMS norm 4; batch norm with stored statistics 4. Backward: the normalised input 2, the
gradients of weight and bias 3, the gradient times the weight 1, two sums 3, the result 4, so 13;
RMS norm 9; with stored statistics 6. The library's reserve space is not counted.
"""

from __future__ import annotations

from math import prod

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown, nbytes
from perfkit.costs._shapes import operations, output, written


def _forward(
    call: Call, per_element: int, parameters: tuple[int, ...], kept: int, rows: int
) -> Cost:
    """`parameters`: small tensors read; `kept`: statistics saved for the backward pass, of `rows`."""
    x = call.operand(0)
    saved = (Operand((rows,), _statistics(x)) for _ in range(kept))
    made = written(call, Operand(x.shape, x.dtype), *saved)
    read = nbytes(x, *(call.optional(index) for index in parameters))
    return Cost(operations(per_element * x.elements, x.dtype), read, made, dtype=x.dtype)


def _statistics(x: Operand) -> str:
    return "float32" if x.dtype in ("float16", "bfloat16") else x.dtype


def _rows(x: Operand, normalised: object) -> int:
    if not isinstance(normalised, tuple):
        raise Unknown("which dimensions are normalised is not recorded")
    return x.elements // max(1, prod(normalised))


def _layer(call: Call) -> Cost:
    rows = _rows(call.operand(0), call.plain(1))
    per_element = 8 if call.optional(2) is not None else 6
    return _forward(call, per_element, (2, 3), 2, rows)


def _rms(call: Call) -> Cost:
    rows = _rows(call.operand(0), call.plain(1))
    return _forward(call, 4 if call.optional(2) is not None else 3, (2,), 1, rows)


def _group(call: Call) -> Cost:
    rows = int(call.plain(3, 1)) * int(call.plain(6, 1))
    return _forward(call, 8 if call.optional(1) is not None else 6, (1, 2), 2, rows)


def _channels(x: Operand) -> int:
    return x.shape[1] if len(x.shape) > 1 else 1


def _batch(call: Call) -> Cost:
    """Input, weight, bias, running mean and variance, whether in training."""
    return _batch_norm(call, call.plain(5) is not False)


def _batch_training(call: Call) -> Cost:
    return _batch_norm(call, True)


def _batch_inference(call: Call) -> Cost:
    return _batch_norm(call, False)


def _batch_norm(call: Call, training: bool) -> Cost:
    x = call.operand(0)
    if not training:
        return _forward(call, 4, (1, 2, 3, 4), 0, 0)
    running = [call.optional(index) for index in (3, 4)]
    plain = _forward(call, 8 if call.optional(1) else 6, (1, 2, 3, 4), 2, _channels(x))
    return Cost(plain.flops, plain.read, plain.written + nbytes(*running), dtype=x.dtype)


def _backward(
    call: Call,
    grad: int,
    x: int,
    small: tuple[int, ...],
    per_element: int,
    mask: tuple[object, ...] = (True, True, True),
) -> Cost:
    """`small`: weight first, then statistics, all read; gradients as the mask asks for them."""
    given, self = call.operand(grad), call.operand(x)
    parameters = [call.optional(index) for index in small]
    weight = parameters[0]
    made = self.elements * self.itemsize if mask[0] else 0
    made += sum(nbytes(weight) for wanted in mask[1:] if wanted)
    flops = operations(per_element * self.elements, self.dtype)
    return Cost(flops, nbytes(given, self, *parameters), made, dtype=self.dtype)


def _mask(call: Call, index: int, size: int) -> tuple[object, ...]:
    value = call.plain(index)
    return value if isinstance(value, tuple) and len(value) == size else (True,) * size


def _layer_backward(call: Call) -> Cost:
    return _backward(call, 0, 1, (5, 3, 4), 13, _mask(call, 7, 3))


def _rms_backward(call: Call) -> Cost:
    return _backward(call, 0, 1, (4, 3), 9, _mask(call, 5, 2))


def _group_backward(call: Call) -> Cost:
    return _backward(call, 0, 1, (4, 2, 3), 13, _mask(call, 9, 3))


def _batch_backward(call: Call) -> Cost:
    if call.plain(7) is False:
        return _backward(call, 0, 1, (2, 3, 4), 6, _mask(call, 9, 3))
    return _backward(call, 0, 1, (2, 5, 6), 13, _mask(call, 9, 3))


def _reserved_backward(call: Call) -> Cost:
    """`batch_norm_backward`: as the native one, then the reserve space."""
    return _backward(call, 0, 1, (2, 5, 6), 13, _mask(call, 9, 3))


def _library_backward(call: Call) -> Cost:
    """cuDNN's and MIOpen's: input first, then the gradient."""
    return _backward(call, 1, 0, (2, 5, 6), 13)


def _stats(call: Call) -> Cost:
    """Mean and inverse deviation per channel (synchronised batch norm)."""
    x = call.operand(0)
    each = Operand((_channels(x),), _statistics(x))
    flops = operations(4 * x.elements, x.dtype)
    return Cost(flops, x.nbytes, written(call, each, each), dtype=x.dtype)


def _apply(call: Call) -> Cost:
    x = call.operand(0)
    read = nbytes(*call.operands)
    out = output(call, x.shape, x.dtype)
    return Cost(operations(4 * x.elements, x.dtype), read, out.nbytes, dtype=x.dtype)


def _gather_stats(call: Call) -> Cost:
    means = call.operand(1)
    read = nbytes(*call.operands[1:])
    each = Operand((means.shape[-1],), means.dtype)
    flops = operations(6 * means.elements, means.dtype)
    return Cost(flops, read, written(call, each, each), dtype=means.dtype)


def _sums(call: Call) -> Cost:
    grad, x = call.operand(0), call.operand(1)
    each = Operand((_channels(x),), _statistics(x))
    read = nbytes(grad, x, *(call.optional(i) for i in (2, 3, 4)))
    flops = operations(4 * x.elements, x.dtype)
    return Cost(flops, read, written(call, each, each, each, each), dtype=x.dtype)


def _apply_backward(call: Call) -> Cost:
    x = call.operand(1)
    flops = operations(6 * x.elements, x.dtype)
    return Cost(flops, nbytes(*call.operands), x.elements * x.itemsize, dtype=x.dtype)


def _weight_norm(call: Call) -> Cost:
    """Norms 2, scaled 1, per element of the direction."""
    v, g = call.operand(0), call.operand(1)
    made = written(call, Operand(v.shape, v.dtype), Operand(g.shape, _statistics(g)))
    return Cost(operations(3 * v.elements, v.dtype), nbytes(v, g), made, dtype=v.dtype)


def _weight_norm_backward(call: Call) -> Cost:
    v, g = call.operand(1), call.operand(2)
    made = nbytes(Operand(v.shape, v.dtype), Operand(g.shape, g.dtype))
    flops = operations(6 * v.elements, v.dtype)
    return Cost(flops, nbytes(*call.operands), made, dtype=v.dtype)


COSTS: dict[str, CostFunction] = {
    "aten::native_layer_norm": _layer,
    "aten::native_layer_norm_backward": _layer_backward,
    "aten::layer_norm": _layer,
    "aten::_fused_rms_norm": _rms,
    "aten::_fused_rms_norm_backward": _rms_backward,
    "aten::rms_norm": _rms,
    "aten::native_group_norm": _group,
    "aten::native_group_norm_backward": _group_backward,
    "aten::native_batch_norm": _batch,
    "aten::_native_batch_norm_legit": _batch,
    "aten::_native_batch_norm_legit_functional": _batch,
    "aten::_native_batch_norm_legit_no_training": _batch_inference,
    "aten::_batch_norm_with_update": _batch_training,
    "aten::_batch_norm_with_update_functional": _batch_training,
    "aten::_batch_norm_no_update": _batch_inference,
    "aten::cudnn_batch_norm": _batch,
    "aten::miopen_batch_norm": _batch,
    "aten::native_batch_norm_backward": _batch_backward,
    "aten::batch_norm_backward": _reserved_backward,
    "aten::cudnn_batch_norm_backward": _library_backward,
    "aten::miopen_batch_norm_backward": _library_backward,
    "aten::batch_norm_stats": _stats,
    "aten::batch_norm_update_stats": _stats,
    "aten::batch_norm_elemt": _apply,
    "aten::batch_norm_gather_stats": _gather_stats,
    "aten::batch_norm_gather_stats_with_counts": _gather_stats,
    "aten::batch_norm_backward_reduce": _sums,
    "aten::batch_norm_backward_elemt": _apply_backward,
    "aten::_weight_norm_interface": _weight_norm,
    "aten::_weight_norm_interface_backward": _weight_norm_backward,
}

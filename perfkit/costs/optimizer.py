"""Fused optimisers: parameters, gradients and state read once, parameters and state written once.

Per parameter: Adam 13 (first moment 3, second 4, denominator 3, update 3), weight decay 2 more, AMSGrad
1 more; SGD 2, momentum 3 more, Nesterov 2 more, weight decay 2 more; Adagrad 6. A gradient scale
(GradScaler) is one more, and the unscaled gradients are written back.
"""

from __future__ import annotations

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown, nbytes


def _step(call: Call, lists: int, kept: tuple[int, ...], per_element: int, scale: int) -> Cost:
    """`lists`: how many lists are read; `kept`: those that are written."""
    parameters = call.several(0)
    if not parameters:
        raise Unknown(f"no parameter of {call.name} has a recorded shape")
    groups = [call.several(index) if _is_list(call, index) else () for index in range(lists)]
    scaled = call.optional(scale) is not None
    read = sum(nbytes(*group) for group in groups)
    made = sum(nbytes(*groups[index]) for index in kept)
    made += nbytes(*groups[1]) if scaled else 0
    elements = sum(p.elements for p in parameters)
    flops = (per_element + (1 if scaled else 0)) * elements
    return Cost(flops, read, made, dtype=parameters[0].dtype)


def _is_list(call: Call, index: int) -> bool:
    return index < len(call.inputs) and isinstance(call.inputs[index], tuple)


def _positive(value: object) -> bool:
    return isinstance(value, (int, float)) and value != 0


def _adam(call: Call) -> Cost:
    """Parameters, gradients, both moments, their maximum, step counts; then numbers."""
    more = (2 if _positive(call.plain(9)) else 0) + (1 if call.plain(11) is True else 0)
    return _step(call, 6, (0, 2, 3, 4), 13 + more, 13)


def _sgd(call: Call) -> Cost:
    """Parameters, gradients, momentum buffers; weight decay, momentum, rate, dampening, Nesterov."""
    more = (2 if _positive(call.plain(3)) else 0) + (2 if call.plain(7) is True else 0)
    more += 3 if _positive(call.plain(4)) else 0
    return _step(call, 3, (0, 2), 2 + more, 10)


def _adagrad(call: Call) -> Cost:
    more = 2 if _positive(call.plain(6)) else 0
    return _step(call, 4, (0, 2), 6 + more, 9)


def _update_scale(call: Call) -> Cost:
    """GradScaler's three numbers."""
    numbers = [call.optional(index) for index in range(3)]
    size = nbytes(*numbers)
    like = next((n for n in numbers if n is not None), Operand((), "float32"))
    return Cost(1, size, nbytes(*numbers[:2]), dtype=like.dtype)


COSTS: dict[str, CostFunction] = {
    "aten::_fused_adam_": _adam,
    "aten::_fused_adam": _adam,
    "aten::_fused_adamw_": _adam,
    "aten::_fused_adamw": _adam,
    "aten::_fused_sgd_": _sgd,
    "aten::_fused_sgd": _sgd,
    "aten::_fused_adagrad_": _adagrad,
    "aten::_fused_adagrad": _adagrad,
    "aten::_amp_update_scale_": _update_scale,
}

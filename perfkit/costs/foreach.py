"""Lists of tensors in one call: what the plain operator costs, summed over the list."""

from __future__ import annotations

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown
from perfkit.costs._shapes import names
from perfkit.costs.copies import COSTS as COPIES
from perfkit.costs.creation import COSTS as CREATION
from perfkit.costs.elementwise import COSTS as ELEMENTWISE
from perfkit.costs.matmul import COSTS as MATMUL
from perfkit.costs.reduction import COSTS as REDUCTION
from perfkit.costs.reduction import whole_norm

_SAME_NAME = names(
    "abs acos add addcdiv addcmul asin atan ceil clamp_max clamp_min cos cosh div erf erfc exp expm1 "
    "floor frac lerp lgamma log log10 log1p log2 maximum minimum mul neg pow reciprocal round rsqrt "
    "sigmoid sign sin sinh sqrt sub tan tanh trunc"
)


def total(costs: list[Cost]) -> Cost:
    """The costs of several calls as one; the first says unit and dtype."""
    if not costs:
        return Cost(0, 0, 0)
    flops, read = sum(c.flops for c in costs), sum(c.read for c in costs)
    first = costs[0]
    return Cost(flops, read, sum(c.written for c in costs), first.unit, first.dtype)


def _item(value: object, index: int, length: int) -> object:
    return value[index] if isinstance(value, tuple) and len(value) == length else value


def _each(plain: CostFunction) -> CostFunction:
    """A list as long as the first is taken item by item, everything else goes to every call."""

    def function(call: Call) -> Cost:
        length = len(call.several(0))
        if not length and len(call.inputs[0]):
            raise Unknown(f"no tensor of the list has a recorded shape in {call.name}")
        outs = call.outputs if len(call.outputs) == length else ()
        calls = [
            Call(
                call.name,
                tuple(_item(value, index, length) for value in call.inputs),
                (outs[index],) if outs else (),
            )
            for index in range(length)
        ]
        return total([plain(one) for one in calls])

    return function


def _unscale(call: Call) -> Cost:
    """Gradients are multiplied in place and looked at for infinities (GradScaler)."""
    grads = [value for value in call.several(0) if isinstance(value, Operand)]
    size = sum(grad.nbytes for grad in grads)
    flops = 2 * sum(grad.elements for grad in grads)
    return Cost(flops, size, size, dtype=grads[0].dtype if grads else "float32")


_PLAIN: dict[str, CostFunction] = {
    **{name: ELEMENTWISE[f"aten::{name}"] for name in _SAME_NAME},
    "copy": COPIES["aten::copy_"],
    "zero": CREATION["aten::zero_"],
}
_ONLY: dict[str, CostFunction] = {
    "norm": whole_norm,
    "powsum": whole_norm,
    "max": REDUCTION["aten::amax"],
    "clone": COPIES["aten::clone"],
    "mm": MATMUL["aten::mm"],
}

COSTS: dict[str, CostFunction] = {
    **{f"aten::_foreach_{name}": _each(plain) for name, plain in _PLAIN.items()},
    **{f"aten::_foreach_{name}_": _each(plain) for name, plain in _PLAIN.items()},
    **{f"aten::_foreach_{name}": _each(plain) for name, plain in _ONLY.items()},
    "aten::_amp_foreach_non_finite_check_and_unscale_": _unscale,
    "aten::_amp_foreach_non_finite_check_and_unscale": _unscale,
}

"""Element by element: arithmetic, comparisons, functions, activations, masks, dropout.

FLOPs: one per element of the output and arithmetic operation, a transcendental function (exp, erf, tanh,
sqrt...) as one; comparisons and selections of floating-point values count as one. Activations count
the operations of their formula. Dropout's random numbers are not counted. Every operand travels once,
stretched ones (stride 0, or smaller than the output) as they are stored.
"""

from __future__ import annotations

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown, nbytes
from perfkit.costs._shapes import broadcast, category, names, operations, output, promote

_UNARY = {
    1: "abs acos acosh asin asinh atan atanh ceil cos cosh digamma erf erfc erfinv exp exp2 expm1 "
    "floor frac i0 lgamma log log10 log1p log2 neg reciprocal relu round rsqrt sgn sign sin sinh "
    "sqrt tan tanh trunc square positive angle conj_physical _conj_physical deg2rad rad2deg "
    "special_i0e special_i1 special_i1e special_entr special_ndtri special_erfcx",
    2: "sinc hardtanh relu6 nan_to_num mvlgamma polygamma",
    3: "leaky_relu threshold celu elu selu hardshrink softshrink logit special_log_ndtr",
    4: "sigmoid silu softplus hardsigmoid",
    5: "gelu hardswish log_sigmoid",
    6: "mish",
}
_BINARY = {
    1: "mul div maximum minimum fmax fmin pow atan2 copysign floor_divide true_divide multiply "
    "divide ldexp xlogy special_xlog1py heaviside nextafter igamma igammac special_zeta "
    "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift gcd lcm __and__ "
    "__or__ __xor__ __lshift__ __rshift__ __iand__ __ior__ __ixor__ __ilshift__ __irshift__ "
    "clamp_min clamp_max",
    2: "fmod _prelu_kernel _add_relu",
    3: "remainder hypot",
    4: "logaddexp logaddexp2",
}
_TRUTH_OF_ONE = "isnan isinf isfinite isneginf isposinf signbit logical_not isreal"
_TRUTH_OF_TWO = (
    "eq ne lt le gt ge greater greater_equal less less_equal not_equal logical_and logical_or "
    "logical_xor isclose"
)
_BACKWARD = {
    1: "threshold_backward hardtanh_backward _masked_scale",
    2: "leaky_relu_backward hardshrink_backward softshrink_backward hardsigmoid_backward "
    "native_dropout_backward _prelu_kernel_backward",
    3: "tanh_backward sigmoid_backward elu_backward softplus_backward logit_backward",
    6: "silu_backward log_sigmoid_backward hardswish_backward",
    9: "mish_backward",
    12: "gelu_backward",
}
_FLOATS = names(
    "acos acosh asin asinh atan atanh cos cosh digamma div erf erfc erfinv exp exp2 expm1 i0 lgamma "
    "log log10 log1p log2 reciprocal rsqrt sigmoid sin sinc sinh sqrt tan tanh true_divide divide "
    "atan2 xlogy deg2rad rad2deg"
)


def _read(call: Call, arity: int) -> tuple[Operand, ...]:
    found = [value for value in call.inputs[:arity] if isinstance(value, Operand)]
    if not found:
        raise Unknown(f"no operand of {call.name} has a recorded shape")
    return tuple(found)


def pointwise(arity: int, per_element: int, result: str = "", floats: bool = False) -> CostFunction:
    """A cost function over the first `arity` arguments.

    Args:
        result: dtype of the output where it is not that of the arithmetic.
        floats: whole numbers become float32, as in division.
    """

    def function(call: Call) -> Cost:
        inputs = _read(call, arity)
        dtype = promote(*call.inputs[:arity])
        if floats and category(dtype) < 2:
            dtype = "float32"
        out = output(call, broadcast(*(o.shape for o in inputs)), result or dtype)
        made = out.nbytes
        return Cost(
            operations(per_element * out.elements, dtype), nbytes(*inputs), made, "vector", dtype
        )

    return function


def _scaled(per_element: int, arity: int, factor: int) -> CostFunction:
    """One multiplication more where argument `factor` is a number other than 1."""

    def function(call: Call) -> Cost:
        more = 0 if call.plain(factor, 1) == 1 else 1
        return pointwise(arity, per_element + more)(call)

    return function


def _where(call: Call) -> Cost:
    """A selection reads the condition and both sides: which of them is taken is not recorded."""
    condition = call.operand(0)
    sides = call.inputs[1:3]
    shapes = [value.shape for value in sides if isinstance(value, Operand)]
    dtype = promote(*sides)
    out = output(call, broadcast(condition.shape, *shapes), dtype)
    operands = [value for value in sides if isinstance(value, Operand)]
    flops = operations(out.elements, dtype)
    return Cost(flops, nbytes(condition, *operands), out.nbytes, dtype=dtype)


def _paired(per_element: int) -> CostFunction:
    """Two real tensors become a complex one."""

    def function(call: Call) -> Cost:
        dtype = promote(*call.inputs[:2])
        result = "complex128" if dtype == "float64" else "complex64"
        return pointwise(2, per_element, result)(call)

    return function


def _masked_fill(call: Call) -> Cost:
    self, mask = call.operand(0), call.operand(1)
    out = output(call, broadcast(self.shape, mask.shape), self.dtype)
    read = nbytes(self, mask, call.optional(2))
    return Cost(operations(out.elements, self.dtype), read, out.nbytes, dtype=self.dtype)


def _glu(call: Call) -> Cost:
    """Half of the input goes through a sigmoid and gates the other half."""
    self = call.operand(0)
    half = self.elements // 2
    made = half * self.itemsize
    return Cost(operations(5 * half, self.dtype), self.nbytes, made, dtype=self.dtype)


def _glu_backward(call: Call) -> Cost:
    grad, self = call.operand(0), call.operand(1)
    flops = operations(10 * grad.elements, self.dtype)
    return Cost(flops, nbytes(grad, self), self.elements * self.itemsize, dtype=self.dtype)


def _dropout(call: Call) -> Cost:
    """Masked and scaled; the mask is kept, one byte per element."""
    self = call.operand(0)
    made = self.elements * (self.itemsize + 1)
    return Cost(operations(2 * self.elements, self.dtype), self.nbytes, made, dtype=self.dtype)


def _prelu_backward(call: Call) -> Cost:
    """Gradient, input, weight; gradients by input and weight of the input's size."""
    grad, self, weight = call.operand(0), call.operand(1), call.operand(2)
    made = 2 * self.elements * self.itemsize
    return Cost(3 * self.elements, nbytes(grad, self, weight), made, dtype=self.dtype)


def _log_sigmoid(call: Call) -> Cost:
    """On CPU a buffer of the input's size is kept for the backward pass; as recorded."""
    self = call.operand(0)
    made = nbytes(*call.outputs) or self.elements * self.itemsize
    return Cost(operations(5 * self.elements, self.dtype), self.nbytes, made, dtype=self.dtype)


def _table() -> dict[str, CostFunction]:
    table: dict[str, CostFunction] = {}
    for arity, counts in ((1, _UNARY), (2, _BINARY)):
        for per_element, listed in counts.items():
            for name in names(listed):
                table[name] = pointwise(arity, per_element, floats=name in _FLOATS)
    for arity, listed in ((1, _TRUTH_OF_ONE), (2, _TRUTH_OF_TWO)):
        table.update({name: pointwise(arity, 1, "bool") for name in names(listed)})
    for per_element, listed in _BACKWARD.items():
        table.update({name: pointwise(3, per_element) for name in names(listed)})
    table.update({name: _scaled(1, 2, 2) for name in ("add", "sub", "subtract", "rsub")})
    table.update(
        addcmul=_scaled(2, 3, 3),
        addcdiv=_scaled(2, 3, 3),
        lerp=pointwise(3, 3),
        clamp=pointwise(3, 2),
        clip=pointwise(3, 2),
        bitwise_not=pointwise(1, 1),
        masked_fill=_masked_fill,
    )
    return table


_BY_NAME = _table()
_WITHOUT_INPLACE = {
    "where": _where,
    "complex": _paired(0),
    "polar": _paired(4),
    "glu": _glu,
    "glu_backward": _glu_backward,
    "native_dropout": _dropout,
    "_fused_dropout": _dropout,
    "_prelu_kernel_backward": _prelu_backward,
    "log_sigmoid_forward": _log_sigmoid,
}

COSTS: dict[str, CostFunction] = {
    **{f"aten::{name}": function for name, function in _BY_NAME.items()},
    **{f"aten::{name}_": function for name, function in _BY_NAME.items() if name[-1] != "_"},
    **{f"aten::{name}": function for name, function in _WITHOUT_INPLACE.items()},
}

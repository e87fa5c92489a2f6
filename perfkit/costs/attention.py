"""Fused attention: the two products of the forward pass, the five of the backward, scores kept on chip.

As torch.utils.flop_counter counts: a causal mask, a window, dropout and the softmax take nothing off and
add nothing, grouped key heads count once per query head. So a causal kernel does about half of what
stands here. Where that counter takes the layout [batch, length, heads, width] of `_flash_attention_*`
and `_efficient_attention_*` for [batch, heads, length, width], ours does not.

Sequences of unequal length (`cu_seqlens`): the sum of len_q·len_k decides. It is known where the
offsets were recorded as numbers or where all sequences fill the maximum; else the cost is not known,
and the reason says between which bounds it lies. A mask function (flex attention) counts as if every
block were computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from perfkit.costs._call import Call, Cost, CostFunction, Operand, Unknown, nbytes
from perfkit.costs._shapes import written

FORWARD, BACKWARD = (1, 1), (3, 2)
"""Products over the width of queries and keys, and over the width of values."""


@dataclass(frozen=True)
class _Heads:
    """`pairs`: queries times keys, over all sequences of one head."""

    batch: int
    heads: int
    pairs: int
    queries: int
    width: int
    value_width: int

    def flops(self, products: tuple[int, int]) -> int:
        per_pair = products[0] * self.width + products[1] * self.value_width
        return 2 * self.batch * self.heads * self.pairs * per_pair

    @property
    def logsumexp(self) -> Operand:
        return Operand((self.batch, self.heads, self.queries), "float32")


def _heads_first(query: Operand, key: Operand, value: Operand) -> _Heads:
    if not len(query.shape) == len(key.shape) == len(value.shape) == 4:
        raise Unknown(f"attention of {query.shape}, {key.shape}, {value.shape}")
    batch, heads, queries, width = query.shape
    if key.shape[3] != width or key.shape[2] != value.shape[2] or heads % key.shape[1]:
        raise Unknown(f"attention of {query.shape}, {key.shape}, {value.shape}")
    return _Heads(batch, heads, queries * key.shape[2], queries, width, value.shape[3])


def _length_first(query: Operand, key: Operand, value: Operand) -> _Heads:
    def turned(operand: Operand) -> Operand:
        if len(operand.shape) != 4:
            raise Unknown(f"attention of {query.shape}, {key.shape}, {value.shape}")
        batch, length, heads, width = operand.shape
        return Operand((batch, heads, length, width), operand.dtype)

    return _heads_first(turned(query), turned(key), turned(value))


def _ends(call: Call, index: int) -> tuple[int, tuple[int, ...] | None]:
    """How many sequences, and their lengths where the offsets were recorded as numbers."""
    value = call.inputs[index] if index < len(call.inputs) else None
    if isinstance(value, tuple) and all(isinstance(v, int) for v in value):
        return len(value) - 1, tuple(b - a for a, b in pairwise(value))
    operand = call.operand(index)
    return operand.shape[0] - 1, None


def _pairs(
    call: Call, cu: tuple[int, int], longest: tuple[int | None, int | None], rows: tuple[int, int]
) -> int:
    """The sum of len_q·len_k over the sequences.

    Raises:
        Unknown: it depends on lengths that are not recorded; the reason has the bounds.
    """
    sequences, queries = _ends(call, cu[0])
    _, keys = _ends(call, cu[1])
    if queries is not None and keys is not None:
        return sum(q * k for q, k in zip(queries, keys, strict=True))
    if longest[0] is None or longest[1] is None:
        raise Unknown(f"{call.name}: the lengths of {sequences} sequences are not recorded")
    most = min(rows[0] * longest[1], rows[1] * longest[0])
    if rows[0] == sequences * longest[0] and rows[1] == sequences * longest[1]:
        return most
    raise Unknown(
        f"{call.name}: the lengths of {sequences} sequences are not recorded; at most {most} "
        f"pairs of a query and a key, {rows[0] * rows[1] // max(sequences, 1)} if all are alike"
    )


def _packed(call: Call, first: int, cu: tuple[int, int], longest: tuple[int, int]) -> _Heads:
    """Sequences end to end: [rows, heads, width], or with a batch of one before it."""
    query, key, value = (call.operand(first + i) for i in range(3))
    rows, heads, width = query.shape[-3:]
    limits = (call.plain(longest[0]), call.plain(longest[1]))
    pairs = _pairs(call, cu, limits, (rows, key.shape[-3]))
    return _Heads(1, heads, pairs, rows, width, value.shape[-1])


def _forward(call: Call, heads: _Heads, query: int = 0, bias: int | None = None) -> Cost:
    operands = [call.operand(query + i) for i in range(3)]
    more = call.optional(bias) if bias is not None else None
    out = Operand((*operands[0].shape[:-1], heads.value_width), operands[0].dtype)
    made = written(call, out, heads.logsumexp)
    return Cost(heads.flops(FORWARD), nbytes(*operands, more), made, "matmul", operands[0].dtype)


def _backward(call: Call, heads: _Heads, out: int, bias: int | None = None) -> Cost:
    """Gradient, query, key, value first; the output and its logsumexp are read again."""
    grad, *operands = (call.operand(i) for i in range(4))
    more = [call.operand(out), call.optional(bias) if bias is not None else None]
    read = nbytes(grad, *operands, *more, heads.logsumexp)
    made = nbytes(*(Operand(o.shape, o.dtype) for o in operands))
    return Cost(heads.flops(BACKWARD), read, made, "matmul", operands[0].dtype)


def _dense(bias: int | None = None) -> CostFunction:
    def function(call: Call) -> Cost:
        heads = _heads_first(call.operand(0), call.operand(1), call.operand(2))
        return _forward(call, heads, bias=bias)

    return function


def _dense_backward(out: int, bias: int | None = None) -> CostFunction:
    def function(call: Call) -> Cost:
        heads = _heads_first(call.operand(1), call.operand(2), call.operand(3))
        return _backward(call, heads, out, bias)

    return function


def _has(call: Call, index: int) -> bool:
    return index < len(call.inputs) and call.inputs[index] not in (None, ())


def _kernel(
    finish: Callable[[Call, _Heads], Cost], first: int, cu: int, longest: int
) -> CostFunction:
    """A kernel that takes either a batch, length first, or sequences end to end."""

    def function(call: Call) -> Cost:
        if _has(call, cu):
            keys = cu + 1 if _has(call, cu + 1) else cu
            heads = _packed(call, first, (cu, keys), (longest, longest + 1))
        else:
            heads = _length_first(*(call.operand(first + i) for i in range(3)))
        return finish(call, heads)

    return function


def _efficient_forward(call: Call, heads: _Heads) -> Cost:
    return _forward(call, heads, bias=3)


def _inplace_forward(call: Call, heads: _Heads) -> Cost:
    """The output comes first and is written; what is returned is the logsumexp."""
    return _forward(Call(call.name, call.inputs), heads, query=1)


def _flash_backward(call: Call, heads: _Heads) -> Cost:
    return _backward(call, heads, out=4)


def _efficient_backward(call: Call, heads: _Heads) -> Cost:
    return _backward(call, heads, out=5, bias=4)


def _flex_backward(call: Call) -> Cost:
    """Query, key, value, output, logsumexp, gradient."""
    query, key, value, out = (call.operand(i) for i in range(4))
    heads = _heads_first(query, key, value)
    grad = call.optional(5) or out
    read = nbytes(query, key, value, out, grad, heads.logsumexp)
    made = nbytes(*(Operand(o.shape, o.dtype) for o in (query, key, value)))
    return Cost(heads.flops(BACKWARD), read, made, "matmul", query.dtype)


def _encoder_layer(call: Call) -> Cost:
    """A whole layer in one call (inference): projections, attention, and two linear layers."""
    x, width = call.operand(0), call.operand(0).shape[-1]
    if len(x.shape) != 3:
        raise Unknown(f"{call.name} of {x.shape}")
    batch, length, _ = x.shape
    matrices = sum(o.elements for o in call.operands[1:] if len(o.shape) == 2)
    if call.name == "aten::_native_multi_head_attention":
        matrices = 4 * width * width
    flops = 2 * batch * length * matrices + 4 * batch * length * length * width
    return Cost(flops, nbytes(*call.operands), x.elements * x.itemsize, "matmul", x.dtype)


COSTS: dict[str, CostFunction] = {
    "aten::_scaled_dot_product_flash_attention": _dense(),
    "aten::_scaled_dot_product_flash_attention_for_cpu": _dense(bias=5),
    "aten::_scaled_dot_product_efficient_attention": _dense(bias=3),
    "aten::_scaled_dot_product_cudnn_attention": _dense(bias=3),
    "aten::_scaled_dot_product_fused_attention_overrideable": _dense(bias=3),
    "aten::scaled_dot_product_attention": _dense(bias=3),
    "aten::_scaled_dot_product_attention_math": _dense(bias=3),
    "aten::_scaled_dot_product_attention_math_for_mps": _dense(bias=3),
    "aten::_scaled_dot_product_flash_attention_backward": _dense_backward(out=4),
    "aten::_scaled_dot_product_flash_attention_for_cpu_backward": _dense_backward(out=4, bias=8),
    "aten::_scaled_dot_product_cudnn_attention_backward": _dense_backward(out=4, bias=8),
    "aten::_scaled_dot_product_efficient_attention_backward": _dense_backward(out=5, bias=4),
    "aten::_scaled_dot_product_fused_attention_overrideable_backward": _dense_backward(6, 4),
    "aten::_flash_attention_forward": _kernel(_forward, 0, 3, 5),
    "aten::_flash_attention_forward_no_dropout_inplace": _kernel(_inplace_forward, 1, 4, 6),
    "aten::_efficient_attention_forward": _kernel(_efficient_forward, 0, 4, 6),
    "aten::_cudnn_attention_forward": _kernel(_efficient_forward, 0, 4, 6),
    "aten::_flash_attention_backward": _kernel(_flash_backward, 1, 6, 8),
    "aten::_efficient_attention_backward": _kernel(_efficient_backward, 1, 6, 8),
    "torch_attn::_varlen_attn": _kernel(_forward, 0, 3, 5),
    "torch_attn::_varlen_attn_out": _kernel(_inplace_forward, 1, 4, 6),
    "torch_attn::_varlen_attn_backward": _kernel(_flash_backward, 1, 6, 8),
    "aten::_transformer_encoder_layer_fwd": _encoder_layer,
    "aten::_native_multi_head_attention": _encoder_layer,
    "higher_order::flex_attention": _dense(),
    "higher_order::flex_attention_backward": _flex_backward,
}

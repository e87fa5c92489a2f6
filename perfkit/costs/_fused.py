"""Fused kernels by the operators they came from: their FLOPs added up, bytes only at the kernel's ends.

Inductor's names tell the sources, each once and in alphabetical order: `triton_poi_fused_add_relu_0`.
From a name alone the FLOPs are an estimate: every source runs once over the kernel's whole index space,
an operator that was fused twice counts once. Which pointers are written is not recorded either; bytes
are at least those of every operand once, the last one written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from math import prod

from perfkit.costs._call import Call, Cost, Operand, Unit, Unknown, nbytes

_KERNEL = re.compile(r"triton_([a-z]+)_fused_(.+?)(?:_\d+)?")
_NOT_ATEN = {
    "flex_attention": "higher_order::flex_attention",
    "flex_attention_backward": "higher_order::flex_attention_backward",
}

Flops = Callable[[Call], Cost]


def fused(sources: Sequence[Cost], inputs: Sequence[Operand], outputs: Sequence[Operand]) -> Cost:
    """One kernel that does the work of several calls and keeps what is between them on the chip."""
    if not sources:
        raise Unknown("a fused kernel without sources")
    unit: Unit = "matmul" if any(source.unit == "matmul" for source in sources) else "vector"
    main = max(sources, key=lambda source: (source.unit == unit, source.flops))
    flops = sum(source.flops for source in sources)
    return Cost(flops, nbytes(*inputs), nbytes(*outputs), unit, main.dtype)


def sources(kernel: str, known: frozenset[str]) -> tuple[str, ...]:
    """The operators that a kernel's name lists, with namespace; empty where it lists none that is known.

    Args:
        known: names with namespace that there are costs for, free ones included.
    """
    found = _KERNEL.fullmatch(kernel)
    if found is None:
        return ()
    plain = {name.partition("::")[2]: name for name in known if name.startswith("aten::")}
    plain |= _NOT_ATEN
    return tuple(plain[name] for name in _split(found[2], frozenset(plain)))


@cache
def _split(text: str, names: frozenset[str], after: str = "") -> tuple[str, ...]:
    """Names joined by underscores, in ascending order; the longest that leaves a rest that splits."""
    ends = [match.start() for match in re.finditer("_", text)] + [len(text)]
    for end in reversed(ends):
        head = text[:end]
        if head not in names or head <= after:
            continue
        if end == len(text):
            return (head,)
        rest = _split(text[end + 1 :], names, head)
        if rest:
            return (head, *rest)
    return ()


def kernel(call: Call, known: frozenset[str], cost: Flops) -> Cost:
    """A Triton kernel of Inductor's by its name, its pointers and its sizes.

    Args:
        cost: the cost of a plain call.

    Raises:
        Unknown: the name tells no operators, or one of them has no cost in this form.
    """
    listed = sources(call.name, known)
    if not listed:
        raise Unknown(f"the name {call.name} lists no operators that are known")
    operands = call.operands
    if not operands:
        raise Unknown(f"operands of {call.name} have no recorded shapes")
    costs = [_over_all(name, call, cost) for name in listed]
    outputs = call.outputs or operands[-1:]
    inputs = operands if call.outputs else operands[:-1] or operands
    return fused(costs, inputs, outputs)


def _over_all(name: str, call: Call, cost: Flops) -> Cost:
    """What a source costs on the kernel's operands where it is a product, else over its index space."""
    widest = max(call.operands, key=lambda operand: operand.elements)
    sizes = [v for v in call.inputs if isinstance(v, int) and not isinstance(v, bool) and v > 0]
    shape = (prod(sizes),) if sizes else widest.shape
    if len(sizes) > 1:
        shape = tuple(sizes)
    space = Operand(shape, widest.dtype)
    forms = (
        tuple(call.operands),
        (space, space, space),
        (space, shape[-1:]),
        (space, space, shape[-1:]),
    )
    first = 0 if _takes_operands(name) else 1
    for inputs in forms[first:]:
        try:
            return cost(Call(name, inputs))
        except Unknown:
            continue
    raise Unknown(f"{name} inside {call.name} is not known in this form")


def _takes_operands(name: str) -> bool:
    products = ("mm", "bmm", "addmm", "baddbmm", "convolution", "flex_attention", "_scaled_mm")
    return name.partition("::")[2].removesuffix("_backward") in products

"""Say how many positions there are where the program's own shapes tell.

What it does
    `torch.triu(torch.ones(n, n), diagonal=1).nonzero()` becomes `torch.nonzero_static(torch.triu(...),
    size=n * (n - 1) // 2)`; likewise `tril`, diagonals 0, 1 and -1, and `torch.eye(n)`.

Why it helps
    `nonzero` asks the device for the number of positions, and the host waits.

Why it is safe
    The count follows from n alone, which is proven to be a Python number; rows come in the same order.
    A number that a run saw is told and never filled in: `nonzero_static` cuts off what is more and fills
    up what is less with rows of -1, which is another program.
    `nonzero_static` runs on CUDA from torch 2.7 on.

When not to act
    For two index vectors `torch.triu_indices` is shorter still.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from perfkit.fixes import _known, _match, _seen
from perfkit.fixes._codemod import Advice, Change, Example, Fix
from perfkit.fixes._tree import File

_COUNTS = {
    ("triu", 0): "{n} * ({n} + 1) // 2",
    ("triu", 1): "{n} * ({n} - 1) // 2",
    ("tril", 0): "{n} * ({n} + 1) // 2",
    ("tril", -1): "{n} * ({n} - 1) // 2",
}


def static_nonzero(file: File) -> Iterator[Change | Advice]:
    """`nonzero` of masks whose count is known."""
    for call in file.calls("nonzero"):
        mask = _match.method(call, "nonzero")
        dotted = file.dotted(call.func)
        if dotted == "torch.nonzero" and len(call.args) == 1 and not call.args[0].keyword:
            mask = call.args[0].value
        elif dotted:
            continue
        size = _count(file, mask) if mask is not None else None
        if mask is not None and size is not None and file.torch:
            text = f"{file.torch}.nonzero_static({file.code(mask)}, size={size})"
            yield Change(call, {call: _match.expression(text, call)})
        elif mask is not None and file.torch:
            yield from _told(file, call)


def _told(file: File, call: cst.Call) -> Iterator[Advice]:
    """What a run saw, which proves nothing about the next batch."""
    seen = _seen.positions(file.ran(call))
    if seen is not None:
        text = (
            f"the run saw numbers of positions: {seen.told()}; they follow the values, so none is filled "
            "in: nonzero_static would cut off more and fill up fewer with rows of -1"
        )
        yield Advice(call, text, to_write=False)


def _count(file: File, mask: cst.BaseExpression) -> str | None:
    """The number of set positions as code."""
    if not isinstance(mask, cst.Call) or _match.starred(mask):
        return None
    name = file.dotted(mask.func).removeprefix("torch.")
    if name == "eye" and len(mask.args) and not mask.args[0].keyword:
        positional = sum(arg.keyword is None for arg in mask.args)
        return _side(file, mask.args[0].value) if positional == 1 else None
    inner, position = (mask.args[0].value, 1) if mask.args else (None, 1)
    if name not in ("triu", "tril") and isinstance(mask.func, cst.Attribute):
        name, inner, position = mask.func.attr.value, mask.func.value, 0
    if name not in ("triu", "tril") or not isinstance(inner, cst.Call):
        return None
    n = _square(file, inner)
    said = _match.argument(mask, position, "diagonal")
    diagonal = 0 if said is None else _match.number(said)
    pattern = _COUNTS.get((name, int(diagonal))) if isinstance(diagonal, int) else None
    return pattern.format(n=n) if pattern and n else None


def _square(file: File, call: cst.Call) -> str | None:
    """n of `torch.ones(n, n)`."""
    if file.dotted(call.func) != "torch.ones" or _match.starred(call):
        return None
    sizes = [arg.value for arg in call.args if arg.keyword is None]
    if len(sizes) != 2 or not file.same(*sizes):
        return None
    return _side(file, sizes[0])


def _side(file: File, node: cst.BaseExpression) -> str | None:
    text = file.code(node)
    return text if _match.repeatable(text) and _known.integer(file, node) else None


_HEAD = "import torch\nfrom torch import Tensor\n\n\n"

FIX = Fix(
    title="nonzero_static where the number of positions is known",
    safe=True,
    words=("nonzero(",),
    signs=(r"\b(?:triu|tril|eye)\(",),
    find=static_nonzero,
    answers=("nonzero", "PK121"),
    silent=(
        Example("unknown", _HEAD + "def f(m: Tensor):\n    return m.nonzero()\n"),
        Example("n may be a tensor", _HEAD + "def f(n):\n    return torch.eye(n).nonzero()\n"),
        Example(
            "not square", _HEAD + "def f(n: int):\n    return torch.ones(n, 3).triu().nonzero()\n"
        ),
        Example(
            "as a tuple", _HEAD + "def f(n: int):\n    return torch.eye(n).nonzero(as_tuple=True)\n"
        ),
        Example(
            "diagonal unknown",
            _HEAD + "def f(n: int, k: int):\n    return torch.ones(n, n).triu(k).nonzero()\n",
        ),
    ),
    examples=(
        Example(
            "pairs",
            _HEAD
            + "def f(n: int):\n    return torch.triu(torch.ones(n, n), diagonal=1).nonzero()\n",
            _HEAD + "def f(n: int):\n    return torch.nonzero_static("
            "torch.triu(torch.ones(n, n), diagonal=1), size=n * (n - 1) // 2)\n",
            run="[f(n) for n in (0, 1, 5)]",
        ),
        Example(
            "of a shape",
            _HEAD + "def f(x: Tensor):\n"
            "    return torch.nonzero(torch.ones(len(x), len(x)).tril())\n",
            _HEAD + "def f(x: Tensor):\n    return torch.nonzero_static("
            "torch.ones(len(x), len(x)).tril(), size=len(x) * (len(x) + 1) // 2)\n",
            run="f(torch.rand(4))",
        ),
    ),
)

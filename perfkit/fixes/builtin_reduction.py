"""Let the tensor reduce itself: Python's `sum`, `max` and `min` go through it element by element.

What it does
    `sum(t)` becomes `t.sum(0)`, `max(t)` becomes `t.max()`, `min(t)` becomes `t.min()`.

Why it helps
    The builtins make one small operator per element, and `max` and `min` read every comparison back.

Why it is safe
    Safe for `sum` of a boolean tensor (a count of hits: whole numbers, exact, along the first dimension
    as Python goes) and for `max` and `min` of whole numbers that are read at once with `int()` or
    `.item()`. Others need `--unsafe`: floating sums round in another order, NaN and the gradient of
    equal maxima are treated differently, and `t.max()` has no dimension left where `t` has shape [n, 1].

When not to act
    Never for its own sake where `t` has a handful of elements on the host.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from perfkit.fixes import _known, _match
from perfkit.fixes._codemod import Change, Example, Fix
from perfkit.fixes._tree import File

_METHODS = {"sum": "sum(0)", "max": "max()", "min": "min()"}


def builtin_reduction(file: File) -> Iterator[Change]:
    """Builtins over one tensor."""
    for name, reduced in _METHODS.items():
        for call in file.calls(name):
            if not file.builtin(call.func, name) or len(call.args) != 1:
                continue
            arg = call.args[0]
            found = _known.known(file, arg.value)
            if arg.star or arg.keyword is not None or found.kind != "tensor":
                continue
            safe = found.dtype == "bool" if name == "sum" else _read_whole(file, call, found.dtype)
            new = _match.expression(
                f"{_match.receiver(file.code(arg.value), arg.value)}.{reduced}", call
            )
            note = "rounding, NaN, ties and the shape of [n, 1] may differ"
            yield Change(call, {call: new}, safe=safe, note="" if safe else note)


def _read_whole(file: File, call: cst.Call, dtype: str) -> bool:
    if dtype != "int":
        return False
    parent = file.parents[call]
    if isinstance(parent, cst.Attribute):
        return _match.method(file.parents[parent], "item") is call
    outer = file.parents.get(parent)
    return isinstance(outer, cst.Call) and file.builtin(outer.func, "int") and len(outer.args) == 1


_HEAD = "import torch\nfrom torch import Tensor\n\n\n"

_ALONE = (
    r"(?<![\w.])(?:sum|max|min)\((?!\s*[\[{*])"
    r"(?!(?:[^()\[\]]|\([^()]*\)|\[[^\[\]]*\]){0,400}(?:\sfor\s|,\s*\w))"
)
"""A builtin with one argument that is neither a display nor a generator."""

FIX = Fix(
    title="t.sum(0), t.max(), t.min() instead of Python's builtins over a tensor",
    safe=True,
    words=("sum(", "max(", "min("),
    signs=(_ALONE,),
    find=builtin_reduction,
    answers=("item", "PK109"),
    silent=(
        Example("a list of tensors", _HEAD + "def f(a: Tensor):\n    return sum([a > 1, a > 2])\n"),
        Example("two arguments", _HEAD + "def f(a: Tensor):\n    return max(a, 1)\n"),
        Example("unknown", "import torch\n\n\ndef f(a):\n    return sum(a)\n"),
        Example(
            "another sum",
            _HEAD + "from m import sum\n\n\ndef f(a: Tensor):\n    return sum(a > 1)\n",
        ),
        Example("floats round differently", _HEAD + "def f(a: Tensor):\n    return sum(a)\n"),
    ),
    examples=(
        Example(
            "hits",
            _HEAD + "def f(a: Tensor, b: Tensor):\n    return sum(a == b).item() / len(a)\n",
            _HEAD + "def f(a: Tensor, b: Tensor):\n    return (a == b).sum(0).item() / len(a)\n",
            run="f(torch.tensor([1, 2, 3]), torch.tensor([1, 0, 3]))",
        ),
        Example(
            "longest",
            _HEAD + "def f(a: Tensor):\n    return int(max(a.argsort()))\n",
            _HEAD + "def f(a: Tensor):\n    return int(a.argsort().max())\n",
            run="f(torch.tensor([3.0, 1.0, 2.0]))",
        ),
        Example(
            "floats",
            _HEAD + "def f(a: Tensor):\n    return max(a)\n",
            _HEAD + "def f(a: Tensor):\n    return a.max()\n",
            safe=False,
            run="f(torch.tensor([3.0, 1.0, 2.0]))",
        ),
    ),
)

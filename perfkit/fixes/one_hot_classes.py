"""Say how many classes there are.

What it does
    `F.one_hot(torch.arange(n))` becomes `F.one_hot(torch.arange(n), num_classes=n)`. With `--unsafe`,
    `F.one_hot(x)` gets `num_classes` from the function's own parameter, or the class's own attribute,
    of that name (`num_classes`, `n_classes`, `num_experts`), and `F.one_hot(t.argmax(dim=1))` from
    `t.shape[1]`.

Why it helps
    Without it, torch reads the largest class of the tensor, and the host waits.

Why it is safe, and when not
    The classes of `arange(n)` are n. For anything else the result of today is as wide as the largest
    class of this very batch: with the number given it may be wider, which is what programs mean, and
    not what they do. The largest class that a run saw is told and never filled in: it is no bound, and
    a larger one raises an error.

When not to act
    Where the width is meant to follow the batch.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from perfkit.fixes import _known, _match, _seen
from perfkit.fixes._codemod import Advice, Change, Example, Fix
from perfkit.fixes._tree import File

_NAMES = ("num_classes", "n_classes", "num_experts")
_ONE_HOT = "torch.nn.functional.one_hot"


def one_hot_classes(file: File) -> Iterator[Change | Advice]:
    """Calls without the number of classes."""
    for call in file.calls("one_hot"):
        if file.dotted(call.func) != _ONE_HOT or len(call.args) != 1 or call.args[0].star:
            continue
        counted = _counted(file, call.args[0].value)
        name = counted or _of_argmax(file, call.args[0].value) or _named(file, call)
        seen = None if name else _seen.classes(file.ran(call))
        if seen is not None:
            text = (
                f"the run saw classes: {seen.told()}; the largest of a batch is no bound, so none is "
                "filled in: pass num_classes= as the model was built"
            )
            yield Advice(call, text, to_write=False)
        elif name:
            new = _match.with_keyword(call, "num_classes", name)
            note = "" if counted else "the result may become wider than the largest class it holds"
            yield Change(call, {call: new}, safe=bool(counted), note=note)


def _counted(file: File, node: cst.BaseExpression) -> str:
    """n of `torch.arange(n)`, a positive literal or a length of something."""
    if not isinstance(node, cst.Call) or file.dotted(node.func) != "torch.arange":
        return ""
    positional = [arg.value for arg in node.args if arg.keyword is None and not arg.star]
    if len(positional) != 1 or not _known.integer(file, positional[0]):
        return ""
    text = file.code(positional[0])
    return text if _match.repeatable(text) else ""


def _of_argmax(file: File, node: cst.BaseExpression) -> str:
    """`t.shape[1]` for `t.argmax(dim=1)`: every class lies below it."""
    if (
        not isinstance(node, cst.Call)
        or _match.starred(node)
        or not isinstance(node.func, cst.Attribute)
    ):
        return ""
    of_torch = file.dotted(node.func) == "torch.argmax"
    if of_torch:
        tensor = _match.argument(node, 0, "input")
    else:
        tensor = node.func.value if node.func.attr.value == "argmax" else None
    dim = _match.argument(node, int(of_torch), "dim")
    place = None if dim is None else _match.number(dim)
    if tensor is None or not isinstance(place, int) or not isinstance(tensor, cst.Name):
        return ""
    return f"{tensor.value}.shape[{place}]" if of_torch or _known.tensor(file, tensor) else ""


def _named(file: File, call: cst.Call) -> str:
    function = file.scope(call).node
    if not isinstance(function, cst.FunctionDef):
        return ""
    own = [p.name.value for p in (*function.params.params, *function.params.kwonly_params)]
    for name in _NAMES:
        if name in own:
            return name
    attributes = {
        file.code(node) for node in file.each(cst.Attribute) if _same_class(file, node, call)
    }
    return next((f"self.{name}" for name in _NAMES if f"self.{name}" in attributes), "")


def _same_class(file: File, node: cst.CSTNode, call: cst.Call) -> bool:
    """Whether an attribute is assigned in the class that the call stands in."""
    classes = [
        [one for one in file.above(n) if isinstance(one, cst.ClassDef)] for n in (node, call)
    ]
    return classes[0] == classes[1] != [] and isinstance(file.parents[node], cst.AssignTarget)


_ALONE = r"\bone_hot\((?:[^()\[\],]|\((?:[^()]|\([^()]*\))*\)|\[[^\[\]]*\]){1,300}?,?\s*\)"
"""A call with one argument."""
_HEAD = "import torch\nimport torch.nn.functional as F\n\n\n"

FIX = Fix(
    title="num_classes for one_hot",
    safe=True,
    words=("one_hot(",),
    signs=(_ALONE,),
    find=one_hot_classes,
    answers=("one_hot", "PK127"),
    silent=(
        Example("given", _HEAD + "def f(x):\n    return F.one_hot(x, 5)\n"),
        Example(
            "as wide as the batch", _HEAD + "def f(x, num_classes):\n    return F.one_hot(x)\n"
        ),
        Example("not torch's", "import torch\n\n\ndef f():\n    return one_hot(torch.arange(3))\n"),
        Example(
            "from a start", _HEAD + "def f(n: int):\n    return F.one_hot(torch.arange(1, n))\n"
        ),
    ),
    examples=(
        Example(
            "counted",
            _HEAD + "def f(n: int):\n    return F.one_hot(torch.arange(n))\n",
            _HEAD + "def f(n: int):\n    return F.one_hot(torch.arange(n), num_classes=n)\n",
            run="[f(n) for n in (1, 4)]",
        ),
        Example(
            "of an argmax",
            _HEAD + "def f(t):\n    return F.one_hot(torch.argmax(t, dim=-1))\n",
            _HEAD
            + "def f(t):\n    return F.one_hot(torch.argmax(t, dim=-1), num_classes=t.shape[-1])\n",
            safe=False,
            run="f(torch.tensor([[1.0, 2.0, 0.0]]))",
        ),
        Example(
            "by name",
            _HEAD + "class Head:\n    def __init__(self, n):\n        self.num_classes = n\n\n"
            "    def f(self, x):\n        return F.one_hot(x)\n",
            _HEAD + "class Head:\n    def __init__(self, n):\n        self.num_classes = n\n\n"
            "    def f(self, x):\n        return F.one_hot(x, num_classes=self.num_classes)\n",
            safe=False,
            run="Head(3).f(torch.tensor([0, 2]))",
        ),
    ),
)

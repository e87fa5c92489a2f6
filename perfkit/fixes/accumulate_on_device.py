"""Add up on the device and read once, instead of once per step.

What it does
    `total += loss.item()` in a loop becomes `total += loss.detach().double()`, and `total =
    float(total)` follows the loop. Whole numbers (`(a == b).sum().item()`) are added as they are and
    read with `int`. A factor that is a Python number stays.

Why it helps
    Every `.item()` waits until the device has done all work so far; the host then starts the next step
    with an empty queue.

Why it is safe
    The value is proven to be a tensor (its origin, or `.backward()` is called on it), `total` starts as
    a number right before the loop, is read nowhere inside it, and no `try` could let half a sum out.
    `double` makes the device add exactly as Python does. An empty loop leaves 0.0 where it left 0.

When not to act
    Where a device lacks double precision (mps, xla): files that mention one are only changed with
    `--unsafe`; so are those where the value is not proven to be a tensor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import libcst as cst

from perfkit.fixes import _known, _match
from perfkit.fixes._codemod import Change, Example, Fix
from perfkit.fixes._tree import File

_STRAIGHT = (cst.If, cst.Else, cst.With, cst.IndentedBlock, cst.SimpleStatementLine)
_NO_DOUBLE = ("mps", "xla")


class _Read(NamedTuple):
    """A read of a tensor in a sum: the whole expression, and the tensor."""

    node: cst.Call
    tensor: cst.BaseExpression


def accumulate_on_device(file: File) -> Iterator[Change]:
    """Sums of read values over a loop."""
    for node in file.each(cst.AugAssign):
        assert isinstance(node, cst.AugAssign)
        name, read = node.target, _read(file, node)
        if read is None or not isinstance(name, cst.Name):
            continue
        start = _start(file, node, name)
        if start is None:
            continue
        first, loop = start
        whole = isinstance(first, int)
        dtype = _dtype(file, read.tensor)
        if dtype is None and whole:
            continue
        text, reader = _on_device(file, read.tensor, dtype or "", whole)
        if reader == "float" and dtype == "int" and whole:
            continue
        new = loop.deep_replace(read.node, _match.expression(text, read.node))  # type: ignore[arg-type]
        after = _match.lines(f"{name.value} = {reader}({name.value})\n")
        proven = dtype is not None and not any(word in file.text for word in _NO_DOUBLE)
        note = f"check that {file.code(read.tensor)} is a tensor on a device with double precision"
        yield Change(node, {loop: [new, *after]}, safe=proven, note="" if proven else note)  # type: ignore[list-item]


def _read(file: File, node: cst.AugAssign) -> _Read | None:
    """`x.item()` or `float(x)`, alone or times a Python number."""
    if not isinstance(node.operator, cst.AddAssign):
        return None
    value = node.value
    if isinstance(value, cst.BinaryOperation) and isinstance(value.operator, cst.Multiply):
        if _known.known(file, value.right).kind == "number" and not _match.method(
            value.right, "item"
        ):
            value = value.left
        elif _known.known(file, value.left).kind == "number" and not _match.method(
            value.left, "item"
        ):
            value = value.right
        else:
            return None
    tensor = _match.method(value, "item")
    if tensor is None and isinstance(value, cst.Call) and file.builtin(value.func, "float"):
        inner = value.args[0].value if len(value.args) == 1 else None
        if inner is not None and _dtype(file, inner) is not None:
            tensor = inner
    return _Read(value, tensor) if isinstance(value, cst.Call) and tensor is not None else None


def _dtype(file: File, node: cst.BaseExpression) -> str | None:
    """Its dtype as far as known; None where it is not proven to be a tensor."""
    found = _known.known(file, node)
    if found.kind == "tensor":
        return found.dtype
    if isinstance(node, cst.Name) and len(file.bindings(node, node.value)) == 1:
        return "float" if _differentiated(file, node) else None
    return None


def _differentiated(file: File, name: cst.Name) -> bool:
    """Whether `.backward()` is called on it, as it is or scaled."""
    for call in file.calls("backward"):
        func = call.func
        if not isinstance(func, cst.Attribute) or file.scope(call) is not file.scope(name):
            continue
        on = func.value
        if isinstance(on, cst.Call) and len(on.args) == 1:
            scaled = isinstance(on.func, cst.Attribute) and on.func.attr.value == "scale"
            on = on.args[0].value if scaled else on
        if file.same(on, name) or (call.args and file.same(call.args[0].value, name)):
            return True
    return False


def _on_device(file: File, tensor: cst.BaseExpression, dtype: str, whole: bool) -> tuple[str, str]:
    """The value to add, and what reads the sum."""
    code = _match.receiver(file.code(tensor), tensor)
    if whole and dtype in ("int", "bool"):
        summed = isinstance(tensor, cst.Call) and code.endswith(".sum()")
        return (code if summed else f"{code}.long()"), "int"
    return f"{code}.detach().double()", "float"


def _start(
    file: File, node: cst.AugAssign, name: cst.Name
) -> tuple[float, cst.For | cst.While] | None:
    """What the sum starts from, and the outermost loop within which only `node` knows it."""
    bound = file.bindings(name, name.value)
    inits = [b for b in bound if b.how == "assign"]
    if len(bound) != 2 or len(inits) != 1 or inits[0].value is None:
        return None
    first, init = _match.number(inits[0].value), file.statement(inits[0].node)
    block = file.block(init)
    loop = next((one for one in file.above(node) if one in block), None)
    if first is None or not isinstance(loop, (cst.For, cst.While)):
        return None
    plain = isinstance(inits[0].node, cst.Assign) and len(inits[0].node.targets) == 1
    if not plain or block.index(init) > block.index(loop) or not _straight(file, node, loop):
        return None
    scope = file.scope(name)
    uses = scope.names.get(name.value, [])
    own = all(file.scope(use) is scope for use in uses) and "locals()" not in file.text
    inside = [use for use in uses if loop in file.above(use)]
    return (first, loop) if own and inside == [name] else None


def _straight(file: File, node: cst.CSTNode, loop: cst.CSTNode) -> bool:
    """Whether nothing around the statement could leave with half a sum: no `try`, no generator."""
    inside = True
    for one in file.above(node):
        if isinstance(one, (cst.Try, cst.TryStar)):
            return False
        compound = isinstance(one, cst.BaseCompoundStatement)
        if inside and compound and not isinstance(one, (*_STRAIGHT, cst.For, cst.While)):
            return False
        inside = inside and one is not loop
        if isinstance(one, cst.FunctionDef):
            return not any(file.scope(y) is file.scope(node) for y in file.each(cst.Yield))
    return True


_HEAD = "import torch\n\n\ndef f(model, batches):\n"
_LOOP = "    for x in batches:\n        loss = model(x)\n        loss.backward()\n"
_SUM = "        total += loss.item()  # shown\n"

FIX = Fix(
    title="Add losses up on the device and read the sum once",
    safe=True,
    words=(".item()", "float("),
    signs=(
        r"\w[ \t]*\+=(?s:.{0,300}?)(?:\.item\(\)|\bfloat\()",
        r"\b(?:for|while)\b",
    ),
    find=accumulate_on_device,
    answers=("item", "sync-in-metrics", "sync-in-logging", "PK101", "PK103"),
    silent=(
        Example(
            "read in the loop",
            _HEAD + "    total = 0.0\n" + _LOOP + _SUM + "        print(total)\n",
        ),
        Example(
            "returned from the loop",
            _HEAD + "    total = 0.0\n" + _LOOP + _SUM + "        return total\n",
        ),
        Example("started elsewhere", _HEAD.replace("batches)", "batches, total)") + _LOOP + _SUM),
        Example(
            "half a sum may be seen",
            _HEAD + "    try:\n        total = 0.0\n        for x in batches:\n"
            "            loss = model(x)\n            loss.backward()\n            total += loss.item()\n"
            "    except KeyboardInterrupt:\n        print(total)\n",
        ),
        Example(
            "a closure reads it",
            _HEAD
            + "    total = 0.0\n    show = lambda: total\n"
            + _LOOP
            + _SUM
            + "    return show\n",
        ),
        Example(
            "not known to be a tensor",
            _HEAD + "    total = 0.0\n    for x in batches:\n        total += model(x).item()\n",
        ),
    ),
    examples=(
        Example(
            "losses",
            _HEAD + "    total = 0.0\n" + _LOOP + _SUM + "    return total / 3\n",
            _HEAD
            + "    total = 0.0\n"
            + _LOOP
            + "        total += loss.detach().double()  # shown\n"
            + "    total = float(total)\n    return total / 3\n",
            run="f(lambda x: x.exp(), [torch.tensor(v, requires_grad=True) for v in (0.1, 0.7, 1.3)])",
        ),
        Example(
            "hits and weighted losses",
            "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor\n\n\n"
            "def f(batches, p: Tensor):\n    hits, cost = 0, 0.0\n    hits = 0\n    cost = 0.0\n"
            "    for x in batches:\n        hits += (p == p.max()).sum().item()\n"
            "        cost += F.mse_loss(p, x).item() * p.size(0)\n    return hits, cost\n".replace(
                "    hits, cost = 0, 0.0\n", ""
            ),
            "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor\n\n\n"
            "def f(batches, p: Tensor):\n    hits = 0\n    cost = 0.0\n"
            "    for x in batches:\n        hits += (p == p.max()).sum()\n"
            "        cost += F.mse_loss(p, x).detach().double() * p.size(0)\n"
            "    cost = float(cost)\n    hits = int(hits)\n    return hits, cost\n",
            run="f([torch.rand(4) for _ in range(3)], torch.rand(4))",
        ),
    ),
)

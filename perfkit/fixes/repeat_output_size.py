"""Tell `repeat_interleave` how long its result is, where the host knows.

What it does
    `torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))` gets `output_size=sum(sizes)`; so
    does `torch.repeat_interleave(torch.tensor(sizes))`.

Why it helps
    Without it, torch adds the repeats up on the device and the host waits for the sum.

Why it is safe
    Only where the repeats were made, on the spot or by a name that has no other value, from a list that
    is proven to hold whole Python numbers and that nothing changes. What is repeated has one row per
    entry of that list: a single repeat would otherwise stretch over all rows.
    With `--unsafe` also for rows that are not proven to be as many. A total that a run saw is told and
    never filled in: another batch has another one, which raises an error on a CPU, and on CUDA gives
    rows too many or too few without a word.

By hand
    Where lengths are made on the host, add them up before they are moved: `total = int(lengths.sum())`,
    then `lengths.to(device)`, then `output_size=total`.

When not to act
    Where only the device knows the lengths: see `segment_ids` among the rewrites.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from perfkit.fixes import _known, _match, _seen
from perfkit.fixes._codemod import Advice, Change, Example, Fix
from perfkit.fixes._tree import File

_MADE = ("torch.tensor", "torch.as_tensor", "torch.LongTensor")
_READERS = ("len", "sum", "max", "min", "enumerate", "zip", "print", "range", "sorted")


def repeat_output_size(file: File) -> Iterator[Change | Advice]:
    """Calls whose repeats came from a list."""
    for call in file.calls("repeat_interleave"):
        if _match.starred(call) or "output_size" in _match.keywords(call):
            continue
        rows, repeats = _parts(file, call)
        sizes = _list(file, repeats) if repeats is not None else None
        if sizes is None and repeats is not None:
            yield from _told(file, call)
        if sizes is None or repeats is None or not file.builtin(cst.Name("sum"), "sum"):
            continue
        safe = rows is None or _as_many(file, rows, sizes, repeats)
        new = _match.with_keyword(call, "output_size", f"sum({sizes.value})")
        note = f"check that there is one row per entry of {sizes.value}"
        yield Change(call, {call: new}, safe=safe, note="" if safe else note)


def _told(file: File, call: cst.Call) -> Iterator[Advice]:
    """What a run saw, and what to write instead of a number that follows the batch."""
    seen = _seen.repeated(file.ran(call))
    if seen is not None:
        text = (
            f"the run saw totals: {seen.told()}; a total follows the batch, so none is filled in. Add the "
            "lengths up on the host, before they are moved, and pass output_size=sum(lengths); where only "
            "the device knows them, see `perfkit rewrites segment_ids`"
        )
        yield Advice(call, text, to_write=False)


def _parts(
    file: File, call: cst.Call
) -> tuple[cst.BaseExpression | None, cst.BaseExpression | None]:
    """What is repeated (None: positions) and how often each."""
    if file.dotted(call.func) == "torch.repeat_interleave":
        first = _match.argument(call, 0, "input")
        second = _match.argument(call, 1, "repeats")
        return (first, second) if second is not None else (None, first)
    if isinstance(call.func, cst.Attribute) and not file.dotted(call.func):
        return call.func.value, _match.argument(call, 0, "repeats")
    return None, None


def _value(file: File, node: cst.BaseExpression) -> cst.BaseExpression | None:
    """The one expression behind a name, or the expression itself."""
    if not isinstance(node, cst.Name):
        return node
    bound = file.bindings(node, node.value)
    return bound[0].value if len(bound) == 1 and bound[0].how == "assign" else None


def _list(file: File, repeats: cst.BaseExpression) -> cst.Name | None:
    """The list of whole numbers that repeats were made from, moved to a device or not."""
    made = _value(file, repeats)
    while isinstance(made, cst.Call) and _moved(file, made):
        assert isinstance(made.func, cst.Attribute)
        made = _value(file, made.func.value)
    if not isinstance(made, cst.Call) or file.dotted(made.func) not in _MADE or not made.args:
        return None
    name = made.args[0].value
    if not isinstance(name, cst.Name) or len(file.bindings(name, name.value)) != 1:
        return None
    if _known.known(file, name) != _known.Known("list", "int"):
        return None
    return None if _changed(file, name) else name


def _moved(file: File, call: cst.Call) -> bool:
    """Whether it is the same numbers elsewhere."""
    func = call.func
    named = isinstance(func, cst.Attribute) and func.attr.value in ("to", "cuda", "pin_memory")
    return named and not file.dotted(func)


def _changed(file: File, name: cst.Name) -> bool:
    """Whether anything may change the list, now or under another name."""
    return any(_may_change(file, use, name) for use in file.scope(name).names.get(name.value, []))


def _may_change(file: File, use: cst.Name, name: cst.Name) -> bool:
    parent = file.parents[use]
    if isinstance(parent, (cst.Param, cst.AssignTarget, cst.AnnAssign)):
        return isinstance(parent, cst.AnnAssign) and parent.value is use
    if file.scope(use) is not file.scope(name):
        return True
    if isinstance(parent, cst.Subscript):
        return isinstance(file.parents[parent], (cst.AssignTarget, cst.AugAssign, cst.Del))
    call = file.parents[parent] if isinstance(parent, cst.Arg) else None
    if isinstance(call, cst.Call):
        harmless = any(file.builtin(call.func, builtin) for builtin in _READERS)
        return not harmless and not file.dotted(call.func).startswith("torch.")
    return not isinstance(parent, (cst.CompFor, cst.For, cst.Return))


def _as_many(
    file: File, rows: cst.BaseExpression, sizes: cst.Name, repeats: cst.BaseExpression
) -> bool:
    """Whether rows are positions 0 to len(sizes) - 1."""
    made = _value(file, rows)
    if not isinstance(made, cst.Call) or file.dotted(made.func) != "torch.arange":
        return False
    positional = [file.code(arg.value) for arg in made.args if arg.keyword is None]
    name = file.code(repeats) if isinstance(repeats, cst.Name) else ""
    counts = [f"len({sizes.value})"]
    if name:
        counts += [f"len({name})", f"{name}.numel()", f"{name}.size(0)", f"{name}.shape[0]"]
    return len(positional) == 1 and positional[0] in counts


_HEAD = "import torch\nfrom torch import Tensor\n\n\n"

FIX = Fix(
    title="output_size for repeat_interleave",
    safe=True,
    words=("repeat_interleave(",),
    signs=(r"\b(?:as_)?tensor\(\s*\w+\s*[,)]|\bLongTensor\(\s*\w+",),
    find=repeat_output_size,
    answers=("repeat_interleave", "PK124"),
    silent=(
        Example(
            "lengths known to the device only",
            _HEAD + "def f(n: Tensor):\n    return torch.arange(n.numel()).repeat_interleave(n)\n",
        ),
        Example(
            "one length may stretch over all rows",
            _HEAD + "def f(x: Tensor, n: list[int]):\n"
            "    return x.repeat_interleave(torch.tensor(n), dim=0)\n",
        ),
        Example(
            "the list grows",
            _HEAD + "def f(n: list[int]):\n    t = torch.tensor(n)\n    n.append(3)\n"
            "    return torch.repeat_interleave(t)\n",
        ),
        Example(
            "maybe nested",
            _HEAD + "def f(n):\n    return torch.repeat_interleave(torch.tensor(n))\n",
        ),
    ),
    examples=(
        Example(
            "owners",
            _HEAD + "def f(rows, d):\n    sizes = [len(r) for r in rows]\n"
            "    lengths = torch.tensor(sizes, device=d)\n"
            "    return torch.arange(len(sizes), device=d).repeat_interleave(lengths)\n",
            _HEAD + "def f(rows, d):\n    sizes = [len(r) for r in rows]\n"
            "    lengths = torch.tensor(sizes, device=d)\n"
            "    return torch.arange(len(sizes), device=d)"
            ".repeat_interleave(lengths, output_size=sum(sizes))\n",
            run="[f(['ab', '', 'c'], 'cpu'), f(['abc'], 'cpu')]",
        ),
        Example(
            "moved",
            _HEAD + "def f(n: list[int], d):\n    lengths = torch.tensor(n)\n"
            "    lengths_there = lengths.to(d, non_blocking=True)\n"
            "    return torch.repeat_interleave(lengths_there)\n",
            _HEAD + "def f(n: list[int], d):\n    lengths = torch.tensor(n)\n"
            "    lengths_there = lengths.to(d, non_blocking=True)\n"
            "    return torch.repeat_interleave(lengths_there, output_size=sum(n))\n",
            run="f([2, 0, 3], 'cpu')",
        ),
        Example(
            "positions",
            _HEAD + "def f(n: list[int]):\n    return torch.repeat_interleave(torch.tensor(n))\n",
            _HEAD + "def f(n: list[int]):\n"
            "    return torch.repeat_interleave(torch.tensor(n), output_size=sum(n))\n",
            run="f([2, 0, 3])",
        ),
    ),
)

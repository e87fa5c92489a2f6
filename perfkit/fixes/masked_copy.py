"""Choose with `torch.where` instead of gathering and scattering through a mask.

What it does
    `x[mask] = y[mask]` becomes `x.copy_(torch.where(mask, y, x))`.

Why it helps
    Both sides ask the device how many elements are set, and the host waits twice.

Why it is safe
    Only where x and y are proven to be tensors and the mask a boolean one of the shape of x, made from
    x element by element. The indexed form then works for every mask only if y has that shape too, and
    torch demands the same dtype. The write stays in place, so that other names of x see it. Gradients
    agree: each element's goes to the side it came from.

When not to act
    On a CPU with few elements set, the indexed form may be cheaper.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from perfkit.fixes import _known, _masks
from perfkit.fixes._codemod import Change, Example, Fix
from perfkit.fixes._masks import Write
from perfkit.fixes._tree import File


def masked_copy(file: File) -> Iterator[Change]:
    """Writes of y[mask] into x[mask]."""
    for node in file.each(cst.Assign):
        found = _masks.write(file, node)
        other = source(file, found) if found is not None else None
        if found is None or other is None or not file.torch:
            continue
        x, mask, y = found.x.value, file.code(found.mask), other.value
        call = cst.parse_expression(f"{x}.copy_({file.torch}.where({mask}, {y}, {x}))")
        yield Change(node, {node: cst.Expr(call)})


def source(file: File, found: Write) -> cst.Name | None:
    """The tensor y of `x[mask] = y[mask]`; None for any other value."""
    value = found.value
    if not isinstance(value, cst.Subscript) or not isinstance(value.value, cst.Name):
        return None
    if len(value.slice) != 1 or not isinstance(value.slice[0].slice, cst.Index):
        return None
    if not file.same(value.slice[0].slice.value, found.mask):
        return None
    alike = value.value.value != found.x.value and _known.tensor(file, value.value)
    return value.value if alike else None


_HEAD = "import torch\nfrom torch import Tensor\n\n\n"

FIX = Fix(
    title="torch.where instead of x[mask] = y[mask]",
    safe=True,
    words=("] =", "]="),
    signs=(_masks.ASSIGNED + r"[ \t]*=[ \t(]*\w+\[\s*(?P=first)",),
    find=masked_copy,
    answers=("mask_index", "PK122"),
    silent=(
        Example(
            "another mask on the right",
            _HEAD + "def f(x: Tensor, y: Tensor):\n    x[x > 0] = y[y > 0]\n",
        ),
        Example(
            "computed from few elements",
            _HEAD + "def f(x: Tensor):\n    m = x > 0\n    x[m] = x[m].sqrt()\n",
        ),
        Example("y unknown", _HEAD + "def f(x: Tensor, y):\n    m = x > 0\n    x[m] = y[m]\n"),
    ),
    examples=(
        Example(
            "copied",
            _HEAD + "def f(x: Tensor, y: Tensor):\n    m = x > y\n    x[m] = y[m]\n    return x\n",
            _HEAD
            + "def f(x: Tensor, y: Tensor):\n    m = x > y\n"
            + "    x.copy_(torch.where(m, y, x))\n    return x\n",
            run="f(torch.arange(6.0), torch.full((6,), 2.5))",
        ),
    ),
)

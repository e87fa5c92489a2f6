"""Write a number through a mask with `masked_fill_`.

What it does
    `x[mask] = 0` becomes `x.masked_fill_(mask, 0)`.

Why it helps
    Indexing by a mask asks the device how many elements are set. Current versions of torch turn the
    indexed write of a number into a fill on their own; older ones, exported and compiled programs do
    not always. The gain is small where torch does it.

Why it is safe
    Only where x is proven to be a tensor and the mask a boolean tensor of the very shape of x, made
    from x element by element (`x > 3`, `torch.isnan(x)`): `x[mask]` aligns a smaller mask from the
    left and `masked_fill_` from the right. Only numbers up to 65504, infinities and NaN, which both
    ways write alike into every dtype.

When not to act
    Never needed for correctness.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from perfkit.fixes import _masks
from perfkit.fixes._codemod import Change, Example, Fix
from perfkit.fixes._tree import File


def masked_number(file: File) -> Iterator[Change]:
    """Writes of a number through a mask."""
    for node in file.each(cst.Assign):
        found = _masks.write(file, node)
        if found is not None and _masks.plain(found.value):
            x, mask, value = (file.code(part) for part in found)
            call = cst.parse_expression(f"{x}.masked_fill_({mask}, {value})")
            yield Change(node, {node: cst.Expr(call)})


_HEAD = "import torch\nfrom torch import Tensor\n\n\n"

FIX = Fix(
    title="masked_fill_ instead of x[mask] = number",
    safe=True,
    words=("] =", "]="),
    signs=(_masks.ASSIGNED + r"[ \t]*=[ \t(]*[-+]?[ \t]*(?:\d|\.\d|float\(|math\.|torch\.)",),
    find=masked_number,
    answers=("mask_index", "PK122"),
    silent=(
        Example("a NumPy array", "import torch\n\n\ndef f(x):\n    x[x > 0] = 0\n"),
        Example(
            "a mask of the rows",
            _HEAD + "def f(x: Tensor, mask: Tensor):\n    x[mask > 0] = 0\n    return x\n",
        ),
        Example(
            "x is another one by now",
            _HEAD + "def f(x: Tensor):\n    bad = x > 0\n    x = x[:, None]\n    x[bad] = 0\n",
        ),
        Example(
            "another shape by now",
            _HEAD + "def f(x: Tensor):\n    bad = x > 0\n    x.unsqueeze_(-1)\n    x[bad] = 0\n",
        ),
        Example("positions", _HEAD + "def f(x: Tensor):\n    x[x.argmax()] = 0\n"),
        Example("too large for float16", _HEAD + "def f(x: Tensor):\n    x[x > 0] = -1e9\n"),
        Example(
            "reduced over a dimension", _HEAD + "def f(x: Tensor):\n    x[(x > 0).any(1)] = 0\n"
        ),
    ),
    examples=(
        Example(
            "inline",
            _HEAD + "def f(x: Tensor):\n    x[x > 3] = 0  # cap\n    return x\n",
            _HEAD + "def f(x: Tensor):\n    x.masked_fill_(x > 3, 0)  # cap\n    return x\n",
            run="f(torch.arange(6.0).view(2, 3))",
        ),
        Example(
            "by name",
            _HEAD
            + "def f(x: Tensor):\n    bad = torch.isnan(x) | (x < 0)\n"
            + '    x[bad] = float("-inf")\n    return x\n',
            _HEAD
            + "def f(x: Tensor):\n    bad = torch.isnan(x) | (x < 0)\n"
            + '    x.masked_fill_(bad, float("-inf"))\n    return x\n',
            run="f(torch.tensor([1.0, -1.0, float('nan')]))",
        ),
    ),
)

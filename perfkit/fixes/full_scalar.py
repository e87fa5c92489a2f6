"""Fill a scalar on the device instead of sending a number there.

What it does
    `torch.tensor(0.5, device=d)` becomes `torch.full((), 0.5, device=d)`.

Why it helps
    `torch.tensor` makes the value in ordinary host memory and copies it, and the host waits for the
    copy. A fill is one launch.

Why it is safe
    Only literal numbers: both infer the same dtype from an int or a float, and take the same further
    arguments. A bool gets its dtype spelled out: scripted functions fill an int64 otherwise. A call whose
    result nobody takes is left alone: it is there to see whether the device answers.

When not to act
    Once, outside the loop, it makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from perfkit.fixes import _match
from perfkit.fixes._codemod import Change, Example, Fix
from perfkit.fixes._tree import File

_LARGEST = 3e38
_KEYWORDS = {"device", "dtype", "requires_grad"}


def full_scalar(file: File) -> Iterator[Change]:
    """Literal numbers sent to a device."""
    for call in file.calls("tensor"):
        if file.dotted(call.func) != "torch.tensor" or _match.starred(call) or not call.args:
            continue
        device, first = _match.argument(call, -1, "device"), call.args[0]
        if device is None or first.keyword or not _match.keywords(call) <= _KEYWORDS:
            continue
        if _match.names_host(device) or isinstance(file.parents[call], cst.Expr):
            continue
        value = _match.number(first.value)
        truth = _match.true(first.value) or _match.false(first.value)
        small = value is not None and (
            abs(value) < _LARGEST or value != value or abs(value) == float("inf")
        )
        if (small or truth) and isinstance(call.func, cst.Attribute):
            func = call.func.with_changes(attr=cst.Name("full"))
            comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
            size = cst.Arg(cst.Tuple([]), comma=comma)
            new = call.with_changes(func=func, args=[size, *call.args])
            if truth and "dtype" not in _match.keywords(call):
                new = _match.with_keyword(new, "dtype", f"{file.code(call.func.value)}.bool")
            yield Change(call, {call: new})


_NUMBER = (
    r"\btensor\([\s(]*[-+]?\s*(?=\d|\.\d|True|False|float\(|(?:math|torch)\.(?:inf|nan))"
    r"(?:[^()]|\([^()]*\)){0,200}?\bdevice\s*="
)
"""A literal, and a device behind it."""

FIX = Fix(
    title="torch.full instead of torch.tensor of a number for a device",
    safe=True,
    words=("tensor(",),
    signs=(_NUMBER,),
    find=full_scalar,
    answers=("h2d", "PK142"),
    silent=(
        Example("no device", "import torch\n\nx = torch.tensor(0.5)\n"),
        Example("the host", 'import torch\n\nx = torch.tensor(0.5, device="cpu")\n'),
        Example("spelled out", 'import torch\n\nx = torch.tensor(1, device=torch.device("cpu"))\n'),
        Example("a list", "import torch\n\nx = torch.tensor([0.5], device=d)\n"),
        Example("a variable", "import torch\n\nx = torch.tensor(v, device=d)\n"),
        Example("a probe", "import torch\n\ntorch.tensor(0, device=d)\n"),
        Example("pinned", "import torch\n\nx = torch.tensor(1, device=d, pin_memory=True)\n"),
    ),
    examples=(
        Example(
            "over two lines",
            "import torch\n\n\ndef f(d):\n    return torch.tensor(\n        -2.5,  # why\n"
            "        device=d,\n    )\n",
            "import torch\n\n\ndef f(d):\n    return torch.full(\n        (), -2.5,  # why\n"
            "        device=d,\n    )\n",
            run="f('cpu')",
        ),
        Example(
            "a truth value in a scripted function",
            "import torch\n\n\ndef f(d):\n    return torch.tensor(True, device=d)\n",
            "import torch\n\n\ndef f(d):\n    return torch.full((), True, device=d, dtype=torch.bool)\n",
            run="f('cpu')",
        ),
        Example(
            "whole",
            "import torch\n\n\ndef f(d):\n    return torch.tensor(3, device=d, dtype=torch.int32)\n",
            "import torch\n\n\ndef f(d):\n    return torch.full((), 3, device=d, dtype=torch.int32)\n",
            run="f('cpu')",
        ),
    ),
)

"""Clip gradients without asking whether their norm is finite.

What it does
    `clip_grad_norm_(..., error_if_nonfinite=True)` loses that argument.

Why it helps
    The check reads the norm, and the host waits for the whole backward pass in every step.

Why it is not safe
    An infinite norm no longer stops the program: all gradients become NaN or zero. Look at the returned
    norm now and then instead, in a step that waits anyway.

When not to act
    While hunting for the first NaN.
"""

from __future__ import annotations

from collections.abc import Iterator

from perfkit.fixes import _match
from perfkit.fixes._codemod import Change, Example, Fix
from perfkit.fixes._tree import File


def clip_without_check(file: File) -> Iterator[Change]:
    """Calls that ask for the check."""
    for name in ("clip_grad_norm_", "get_total_norm"):
        for call in file.calls(name):
            if _match.true(_match.argument(call, -1, "error_if_nonfinite")):
                note = (
                    "an infinite norm is no longer an error: look at the returned norm now and then"
                )
                new = _match.without_keyword(call, "error_if_nonfinite")
                yield Change(call, {call: new}, safe=False, note=note)


FIX = Fix(
    title="No finiteness check while clipping gradients",
    safe=False,
    words=("error_if_nonfinite",),
    find=clip_without_check,
    answers=("clip_grad_norm", "PK132"),
    silent=(
        Example("off", "import torch\n\nclip_grad_norm_(p, 1.0, error_if_nonfinite=False)\n"),
        Example("a flag", "import torch\n\nclip_grad_norm_(p, 1.0, error_if_nonfinite=strict)\n"),
    ),
    examples=(
        Example(
            "over lines",
            "import torch\n\nclip_grad_norm_(\n    p,\n    1.0,  # max\n    error_if_nonfinite=True,\n)\n",
            "import torch\n\nclip_grad_norm_(\n    p,\n    1.0,  # max\n)\n",
            safe=False,
        ),
    ),
)

"""Let gradients go instead of filling them with zeros.

What it does
    `zero_grad(set_to_none=False)` becomes `zero_grad()`.

Why it helps
    Zeros cost a launch per parameter and a read-modify-write in the next backward pass, and memory is
    held in between.

Why it is not safe
    A parameter that takes part in no loss then has no gradient at all: an optimiser skips it, where with
    zeros it would apply momentum and weight decay. Code that reads `p.grad` meets None.

When not to act
    Where some parameters are at times unused, gradients are views of one buffer, or a captured CUDA
    graph writes into them.
"""

from __future__ import annotations

from collections.abc import Iterator

from perfkit.fixes import _match
from perfkit.fixes._codemod import Change, Example, Fix
from perfkit.fixes._tree import File


def grads_to_none(file: File) -> Iterator[Change]:
    """Calls that ask for zeros."""
    for call in file.calls("zero_grad"):
        if _match.false(_match.argument(call, -1, "set_to_none")):
            note = "check that every parameter takes part in the loss, and that nothing reads .grad"
            new = _match.without_keyword(call, "set_to_none")
            yield Change(call, {call: new}, safe=False, note=note)


FIX = Fix(
    title="zero_grad() instead of zero_grad(set_to_none=False)",
    safe=False,
    words=("set_to_none",),
    find=grads_to_none,
    answers=("PK202",),
    silent=(
        Example("the default", "import torch\n\nopt.zero_grad()  # set_to_none\n"),
        Example("already", "import torch\n\nopt.zero_grad(set_to_none=True)\n"),
        Example("passed on", "import torch\n\nopt.zero_grad(set_to_none=flag)\n"),
    ),
    examples=(
        Example(
            "said",
            "import torch\n\nopt.zero_grad(set_to_none=False)  # slow\n",
            "import torch\n\nopt.zero_grad()  # slow\n",
            safe=False,
        ),
    ),
)

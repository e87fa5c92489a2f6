"""Compare all pairs at once instead of one after the other.

What it does
    Shows where nested loops, or a loop over combinations, add up a loss pair by pair, and the call of
    `perfkit.rewrites.pairwise_preference_loss` to write instead.

Why it helps
    A loop over pairs launches a dozen kernels for each, and often reads a value to decide which is
    better: the host waits once per pair.

Why it is advice only
    Its arguments are made by `pack`, from lists that only the program knows; and it computes one
    particular loss, which must be yours.

When not to act
    With a handful of pairs; see `perfkit rewrites pairwise_preference_loss`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from perfkit.fixes._codemod import Advice, Example, Fix
from perfkit.fixes._tree import File

_PAIRS = re.compile(
    r"\bcombinations\(.*,\s*2\)|\bpairs?\b|\bbetter\b.*\bworse\b|\bworse\b.*\bbetter\b"
)
_HEADS = (
    r"^[ \t]*(?:async\s+)?for\b[^:]{0,200}?"
    r"(?:\bcombinations\(|\bpairs?\b|\bbetter\b|\bworse\b|\brange\(\s*\w+\s*\+\s*1\s*,)"
)
_LATER = re.compile(r"\brange\(\s*(\w+)\s*\+\s*1\s*,")


def pair_loop(file: File) -> Iterator[Advice]:
    """Loops over pairs that add to a loss."""
    for loop in file.each(cst.For):
        assert isinstance(loop, cst.For)
        if _over_pairs(file, loop) and _adds_a_loss(file, loop):
            text = (
                "from perfkit.rewrites.pairwise_preference_loss import pairwise_preference_loss; "
                "it takes the rows of all contexts, see `perfkit rewrites pairwise_preference_loss`"
            )
            yield Advice(loop, text)


def _over_pairs(file: File, loop: cst.For) -> bool:
    head = f"{file.code(loop.target)} in {file.code(loop.iter)}"
    if _PAIRS.search(head):
        return True
    later = _LATER.search(head)
    outer = next((one for one in file.above(loop) if isinstance(one, cst.For)), None)
    return later is not None and outer is not None and file.code(outer.target) == later[1]


def _adds_a_loss(file: File, loop: cst.For) -> bool:
    for node in file.each(cst.AugAssign):
        assert isinstance(node, cst.AugAssign)
        if loop in file.above(node) and "loss" in file.code(node):
            return True
    adds = [file.code(call) for call in file.calls("append") if loop in file.above(call)]
    said = any("loss" in text or "penalt" in text for text in adds)
    sides = re.findall(r"\b(better|worse|preferred|rejected)\b", file.code(loop.body))
    return said or (bool(adds) and len(set(sides)) == 2)


_HEAD = "import torch\n\n\ndef f(scores, loss):\n"

FIX = Fix(
    title="pairwise_preference_loss instead of a loop over pairs",
    safe=False,
    words=("for ",),
    signs=(_HEADS, r"loss|penalt|better|worse|preferred|rejected"),
    find=pair_loop,
    answers=("per-pair-loss", "item", "PK201"),
    silent=(
        Example("one by one", _HEAD + "    for s in scores:\n        loss += s\n"),
        Example(
            "no loss", _HEAD + "    for a, b in combinations(scores, 2):\n        print(a - b)\n"
        ),
    ),
    examples=(
        Example(
            "combinations",
            _HEAD + "    for a, b in combinations(scores, 2):\n        loss += (a - b).relu()\n",
            safe=False,
        ),
        Example(
            "nested",
            _HEAD + "    for i in range(9):\n        for j in range(i + 1, 9):\n"
            "            loss = loss + 0\n            loss += scores[i] - scores[j]\n",
            safe=False,
        ),
    ),
)

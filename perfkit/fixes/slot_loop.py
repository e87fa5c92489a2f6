"""Look all slots up at once instead of one by one.

What it does
    Shows where a loop looks each slot up in a table of the class and collects the sums, and the call of
    `perfkit.rewrites.fused_embedding` to write instead.

Why it helps
    A lookup, a sum and several small kernels per slot become one lookup of all; the ids of all slots
    travel in two copies.

Why it is advice only
    The ids have to be fused where batches are made, which is elsewhere.

When not to act
    With a handful of slots; see `perfkit rewrites fused_embedding`.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from perfkit.fixes._codemod import Advice, Example, Fix
from perfkit.fixes._tree import File

_TABLES = ("torch.nn.Embedding", "torch.nn.EmbeddingBag")
_SUMS = ("segment_reduce", "sum", "mean", "embedding_bag")


def slot_loop(file: File) -> Iterator[Advice]:
    """Loops that look up, reduce and collect."""
    tables = _tables(file)
    for loop in file.each(cst.For) if tables else []:
        names = {_last(call.func) for call in file.each(cst.Call) if loop in file.above(call)}  # type: ignore[attr-defined]
        used = sorted(names & tables)
        if used and "append" in names and names & set(_SUMS):
            text = (
                "from perfkit.rewrites.fused_embedding import fuse_slots, fused_embedding; "
                "bags = fuse_slots(slots) where batches are made, then "
                f"fused_embedding(self.{used[0]}.weight, bags) instead of this loop"
            )
            yield Advice(loop, text)


def _tables(file: File) -> set[str]:
    """Attributes that hold an embedding."""
    found = set()
    for name in ("Embedding", "EmbeddingBag"):
        for call in file.calls(name):
            target = file.parents[call]
            if file.dotted(call.func) in _TABLES and isinstance(target, cst.Assign):
                found.add(_last(target.targets[0].target))
    return found


def _last(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Attribute):
        return node.attr.value
    return node.value if isinstance(node, cst.Name) else ""


_HEAD = """from torch import Tensor, nn


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(9, 2)

    def forward(self, slots):
        pooled = []
"""

FIX = Fix(
    title="fused_embedding instead of a lookup per slot",
    safe=False,
    words=("Embedding(",),
    signs=(
        r"=\s*[\w.]*\bEmbedding(?:Bag)?\(",
        r"^[ \t]+for\b",
        r"\.append\(",
        r"segment_reduce|\bsum\(|\bmean\(|embedding_bag",
    ),
    find=slot_loop,
    answers=("per-slot-embedding", "PK201"),
    silent=(
        Example("one lookup", _HEAD + "        return self.table(slots).sum(1)\n"),
        Example(
            "a layer per slot",
            _HEAD + "        for s in slots:\n            pooled.append(self.head(s).sum(1))\n",
        ),
    ),
    examples=(
        Example(
            "a table",
            _HEAD + "        for s in slots:\n            pooled.append(self.table(s).sum(1))\n",
            safe=False,
        ),
    ),
)

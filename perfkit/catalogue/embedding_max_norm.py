"""Embedding rows renormalised on look-up.

**Synchronises**: `nn.Embedding(max_norm=...)` on the device: the unique rows are found first
(ATen Embedding.cu, `embedding_renorm_`).

**Looks alike, does not**: embeddings without `max_norm`.

**Instead**: renormalise the weight every N steps.
"""

from __future__ import annotations

from perfkit.catalogue._call import Call, Seen

DIRECTION = "d2h"
FIX = "renormalise the weight every N steps instead of max_norm"


def _renorm(call: Call) -> Seen | None:
    return Seen(certain=False) if call.on_device(call.arg(0, "self")) else None


OPS = {"aten::embedding_renorm_": _renorm}

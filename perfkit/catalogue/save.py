"""Device tensors written to disk or pickled.

**Synchronises**: `torch.save` and `pickle` of CUDA tensors, once per storage.

**Looks alike, does not**: saving CPU tensors.

**Instead**: save every N steps; copy to pinned memory with `non_blocking=True` first and write from a
thread.
"""

from __future__ import annotations

DIRECTION = "d2h"
FIX = "save every N steps, from pinned copies and in a thread"
INSIDE = ("serialization.py",)

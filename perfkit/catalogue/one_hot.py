"""One-hot encoding without the number of classes.

**Synchronises**: `F.one_hot(t)` of a CUDA tensor, once: it reads the maximum.

**Looks alike, does not**: `F.one_hot(t, num_classes=n)`.

**Instead**: give `num_classes`.
"""

from __future__ import annotations

DIRECTION = "d2h"
FIX = "give num_classes="

"""A whole tensor turned into Python numbers.

**Synchronises**: `.tolist()` of a CUDA tensor, once: the tensor is copied to the host first.

**Looks alike, does not**: `.tolist()` of a CPU tensor.

**Instead**: do the arithmetic on the device; where Python must see values, fetch once for many steps.
"""

from __future__ import annotations

DIRECTION = "d2h"
FIX = "stay on the device; where Python must see the values, fetch once for many steps"

"""Cached device memory returned to the driver.

**Synchronises**: `torch.cuda.empty_cache`: `cudaFree` waits for the device.

**Looks alike, does not**: `del tensor`, `zero_grad(set_to_none=True)`.

**Instead**: call it outside the step, if at all.
"""

from __future__ import annotations

DIRECTION = "none"
FIX = "call it outside the step, if at all"

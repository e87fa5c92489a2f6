"""The loss scaler's overflow check.

**Synchronises**: `GradScaler.step` reads `found_inf` once per optimizer and device.

**Looks alike, does not**: `GradScaler.scale`, `GradScaler.update` after it.

**Instead**: train in bfloat16, which needs no scaler; or a fused optimizer (`fused=True`), which takes
`found_inf` on the device.
"""

from __future__ import annotations

DIRECTION = "d2h"
FIX = "bfloat16 needs no scaler; fused=True optimizers take found_inf on the device"
INSIDE = ("amp/grad_scaler.py",)

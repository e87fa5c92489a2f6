"""`torch.tensor([t0, t1, ...])` of values that already lie on the device.

**Synchronises**: once per element: each is read to the host and sent back.

**Looks alike, does not**: `torch.stack([t0, t1])`.

**Instead**: `torch.stack`.
"""

from __future__ import annotations

DIRECTION = "d2h"
FIX = "torch.stack keeps the values on the device"

"""Two tensors compared within a tolerance to one Python bool.

**Synchronises**: `torch.allclose` on the device, once.

**Looks alike, does not**: `torch.isclose`.

**Instead**: keep `torch.isclose(...).all()` on the device, or compare outside the step.
"""

from __future__ import annotations

from perfkit.catalogue._call import once_on_device

DIRECTION = "d2h"
FIX = "keep torch.isclose(...).all() on the device, or compare outside the step"


OPS = {"aten::allclose": once_on_device}

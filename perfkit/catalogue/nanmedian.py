"""The median without NaNs of a whole tensor.

**Synchronises**: `nanmedian()` without `dim`, once.

**Looks alike, does not**: `nanmedian(dim=...)`, `median()`.

**Instead**: `t.flatten().nanmedian(dim=0).values`.
"""

from __future__ import annotations

from perfkit.catalogue._call import once_on_device

DIRECTION = "d2h"
FIX = "t.flatten().nanmedian(dim=0).values"


OPS = {"aten::nanmedian": once_on_device}

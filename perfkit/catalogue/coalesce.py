"""Sparse tensors made unique.

**Synchronises**: `coalesce()` of a CUDA sparse tensor, at least once: the number of entries depends
on values.

**Looks alike, does not**: an already coalesced tensor.

**Instead**: build it coalesced (`is_coalesced=True`) or use a dense or CSR form.
"""

from __future__ import annotations

from perfkit.catalogue._call import once_on_device

DIRECTION = "d2h"
FIX = "build it with is_coalesced=True, or use a dense or CSR form"


OPS = {"aten::_coalesce": once_on_device}

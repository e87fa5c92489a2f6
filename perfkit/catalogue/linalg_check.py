"""Error checks of linear algebra.

**Synchronises**: `torch.linalg.inv`, `solve`, `cholesky`, `eigh`, `svd` and their likes, once each:
the host reads the `info` codes to raise (`_linalg_check_errors`).

**Looks alike, does not**: `inv_ex`, `solve_ex`, `cholesky_ex`, `lu_factor_ex`, `det`, `slogdet`.

**Instead**: the `*_ex` form, and look at `info` only when something is wrong.
"""

from __future__ import annotations

from perfkit.catalogue._call import once_on_device

DIRECTION = "d2h"
FIX = "use the *_ex form (check_errors=False) and look at info outside the step"


OPS = {
    "aten::_linalg_check_errors": once_on_device,
    "aten::_linalg_eigh": once_on_device,
    "aten::_linalg_svd": once_on_device,
    "aten::linalg_eig": once_on_device,
    "aten::linalg_pinv.atol_rtol_tensor": once_on_device,
    "aten::linalg_lstsq": once_on_device,
}

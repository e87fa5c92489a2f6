"""Linear algebra that checks for errors on the host.

**What it finds**: `torch.linalg.inv`, `solve`, `cholesky`, `eigh`, `svd` and their likes on tensors
likely on the device.

**Why it hurts**: the host reads the error codes to raise, so it waits in every call.

**Instead**: use the `*_ex` form (`check_errors=False`) and look at `info` outside the step.

**When not to act**: where a failure must stop the very step.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site
from perfkit.lint._value import UNKNOWN

CODE = "PK131"
KIND = "linalg_check"
_NAMES = (
    *("inv", "solve", "cholesky", "eigh", "eigvalsh", "eig", "eigvals", "svd", "svdvals", "lstsq"),
    *("pinv", "lu_factor", "matrix_rank"),
)
FUNCTIONS = (
    *(f"torch.linalg.{name}" for name in _NAMES),
    "torch.inverse",
    "torch.cholesky",
    "torch.pinverse",
    "torch.svd",
)

SILENT = (
    "v = torch.linalg.inv_ex(x)",
    "v = torch.linalg.norm(x)",
    "v = torch.linalg.inv(torch.eye(2))",
)
FOUND = (
    "v = torch.linalg.inv(x)  # found",
    "v = torch.linalg.solve(x, y)  # found",
    "v = torch.inverse(x)  # found",
)


def function(site: Site) -> Found | None:
    """`torch.linalg.inv(x)`."""
    value = site.arg(0, "A") or site.arg(0, "input") or UNKNOWN
    if value.on == "host" or site.place.host:
        return None
    return Found("`{code}` reads error codes from the device and waits", max(2, value.sure))

"""A device tensor indexed by what lies on the host.

**What it finds**: `x[[0, 1]]`, `x[cpu_indices]` and `x[array]` where `x` is likely on the device.

**Why it hurts**: the indices are copied over first, and the host waits for the copy.

**Instead**: make the index tensor on the device once and reuse it; use slices where they will do.

**When not to act**: before the loop.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site
from perfkit.lint._value import Value

CODE = "PK143"
KIND = "h2d"
FIX = "make the index tensor on the device once and reuse it"

SILENT = (
    "v = x[index]",
    "v = x[0, 1]",
    "v = x[:, None]",
    "v = torch.ones(3)[[0, 1]]",
    "v = x[..., :2]",
)
FOUND = (
    "v = x[[0, 2]]  # found",
    "v = x[torch.tensor([0, 2])]  # found",
    "v = x[:, np.arange(3)]  # found",
)


def read(site: Site) -> Found | None:
    """`x[[0, 1]]`."""
    owner = site.receiver
    if owner.kind != "tensor" or owner.on != "device":
        return None
    for part in site.index:
        listed = part.kind == "sequence" and not part.positional
        hosted = part.kind == "tensor" and part.on == "host" and part.dtype != "bool"
        if (
            (listed and not _holds_data(part))
            or part.kind == "array"
            or (hosted and part.rank != 0)
        ):
            return Found("`{code}` copies its indices to the device and waits", min(owner.sure, 2))
    return None


write = read


def _holds_data(part: Value) -> bool:
    return any(item.holds_data for item in part.inner)

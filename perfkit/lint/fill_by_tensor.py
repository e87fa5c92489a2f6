"""A fill whose value is itself on the device.

**What it finds**: `masked_fill(mask, t)` and `index_fill(dim, index, t)` with a tensor `t` that is
likely on the device.

**Why it hurts**: the kernel wants a number and calls `.item()`, so the host waits.

**Instead**: `torch.where(mask, value, x)`, which takes the value from the device, or a Python
number.

**When not to act**: where the value lies on the CPU.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site

CODE = "PK129"
KIND = "masked_fill"
METHODS = ("masked_fill", "masked_fill_", "index_fill", "index_fill_")

SILENT = (
    "v = x.masked_fill(mask, 0.0)",
    "v = x.masked_fill(mask, torch.tensor(1.0))",
    "v = torch.where(mask, y, x)",
)
FOUND = (
    "v = x.masked_fill(mask, x.max())  # found",
    "v = x.index_fill(0, index, x.min())  # found",
)


def method(site: Site) -> Found | None:
    """`x.masked_fill(mask, t)`."""
    value = site.arg(2 if site.name.startswith("index") else 1, "value")
    if value is None or value.kind != "tensor" or value.on != "device":
        return None
    return Found("`{code}` reads its value from the device and waits", value.sure)

"""A boolean mask used as an index.

**What it finds**: `x[mask]` read, and `x[mask] = tensor`, with a mask that is likely on the device.

**Why it hurts**: the mask becomes indices by `nonzero`: the host waits, and once more in the
gradient.

**Instead**: `torch.where(mask, a, b)`, or multiply by the mask and divide by its sum for a masked
mean.

**When not to act**: where few elements remain and much work follows; `x[mask] = 0.0` does not wait.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site
from perfkit.lint._value import COMPARED

CODE = "PK122"
KIND = "mask_index"

SILENT = (
    "x[mask] = 0.0",
    "v = x[index]",
    "v = torch.where(mask, x, y)",
    "v = x.masked_fill(mask, 0.0)",
    "v = torch.ones(3)[torch.ones(3) > 0]",
)
FOUND = (
    "v = x[mask]  # found",
    "v = x[x > 0]  # found",
    "x[mask] = y[mask]  # found",
    "v = x[:, ~mask]  # found",
    "keep = x.sum(-1) > 0\nv = x[keep]  # found",
)


def read(site: Site) -> Found | None:
    """`x[mask]`."""
    sure = _mask(site)
    return (
        Found("`{code}` turns a mask into indices and waits for their count", sure)
        if sure
        else None
    )


def write(site: Site) -> Found | None:
    """`x[mask] = value`."""
    value, sure = site.value, _mask(site)
    if not sure or value is None or value.kind in ("number", "none", "text"):
        return None
    if value.kind == "tensor" and value.on == "host" and value.rank == 0:
        return None
    sure = sure if value.holds_data else 1
    return Found("`{code} = ...` turns a mask into indices and waits for their count", sure)


def _mask(site: Site) -> int:
    owner = site.receiver
    if owner.on == "host" or owner.kind not in ("tensor", "tree", "unknown"):
        return 0
    for part in site.index:
        if part == COMPARED and owner.kind in ("tensor", "unknown") and site.place.function:
            return 2 if site.facts.get("only_torch") and not site.place.host else 1
        if part.holds_data and part.dtype == "bool" and part.on != "host":
            if owner.kind == "unknown" or (owner.kind == "tree" and owner.sure == 1):
                return min(part.sure, 2) if part.on == "device" else 0
            return min(owner.sure, part.sure) if part.on else min(2, part.sure)
    return 0

"""`masked_select`: the size of the result depends on values.

**What it finds**: `masked_select` of a tensor that is likely on the device.

**Why it hurts**: the host must learn the count before it can allocate the result, so it waits.

**Instead**: `torch.where(mask, a, b)`, or masked arithmetic.

**When not to act**: where few elements remain and much work follows.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site
from perfkit.lint._value import UNKNOWN, Value

CODE = "PK123"
KIND = "masked_select"
METHODS = ("masked_select",)
FUNCTIONS = ("torch.masked_select",)

SILENT = (
    "v = torch.ones(3).masked_select(torch.ones(3) > 0)",
    "v = x.masked_fill(mask, 0.0)",
)
FOUND = (
    "v = x.masked_select(mask)  # found",
    "v = torch.masked_select(x, mask)  # found",
)


def method(site: Site) -> Found | None:
    """`x.masked_select(mask)`."""
    return _told(site.receiver) if site.receiver.kind in ("tensor", "tree", "unknown") else None


def function(site: Site) -> Found | None:
    """`torch.masked_select(x, mask)`."""
    return _told(site.arg(0, "input") or UNKNOWN)


def _told(value: Value) -> Found | None:
    if value.on == "host":
        return None
    return Found(
        "`{code}` waits to learn how many elements there are", value.sure if value.on else 2
    )

"""Distinct values: the size of the result depends on values.

**What it finds**: `unique` and `unique_consecutive` of a tensor that is likely on the device.

**Why it hurts**: the host must learn the count before it can allocate the result, so it waits.

**Instead**: sort and compare neighbours, or compute it in the data loader.

**When not to act**: where the loader cannot know the values and much work is saved.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site, read_on_device
from perfkit.lint._value import UNKNOWN

CODE = "PK125"
KIND = "unique"
METHODS = ("unique", "unique_consecutive")
FUNCTIONS = ("torch.unique", "torch.unique_consecutive")

SILENT = (
    "v = torch.ones(3).unique()",
    "v = np.unique([1, 2])",
    "v = x.sort().values",
)
FOUND = (
    "v = x.unique()  # found",
    "v, n = torch.unique(x, return_counts=True)  # found",
    "v = torch.unique_consecutive(x)  # found",
)


def method(site: Site) -> Found | None:
    """`x.unique()`."""
    return _told(read_on_device(site.receiver))


def function(site: Site) -> Found | None:
    """`torch.unique(x)`."""
    value = site.arg(0, "input") or UNKNOWN
    if value.kind == "unknown" and not site.place.host:
        return _told(2)
    return _told(read_on_device(value))


def _told(sure: int) -> Found | None:
    return Found("`{code}` waits to learn how many values there are", sure) if sure else None

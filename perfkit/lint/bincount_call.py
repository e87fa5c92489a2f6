"""Counts per value: the number of bins is read from the values.

**What it finds**: `bincount` of a tensor that is likely on the device, also with `minlength`.

**Why it hurts**: the smallest and the largest value are read first: two waits.

**Instead**: `torch.zeros(n, device=...).scatter_add_(0, ids, weights)` with the known number of
bins.

**When not to act**: where the number of bins is unknown.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site, read_on_device
from perfkit.lint._value import UNKNOWN

CODE = "PK126"
KIND = "bincount"
METHODS = ("bincount",)
FUNCTIONS = ("torch.bincount",)

SILENT = (
    "v = torch.histc(x, bins=4, min=0, max=3)",
    "v = torch.tensor([1]).bincount()",
    "v = np.bincount([1])",
)
FOUND = (
    "v = torch.bincount(x, minlength=4)  # found",
    "v = x.bincount()  # found",
)


def method(site: Site) -> Found | None:
    """`x.bincount()`."""
    return _told(read_on_device(site.receiver))


def function(site: Site) -> Found | None:
    """`torch.bincount(x)`."""
    value = site.arg(0, "input") or UNKNOWN
    return _told(2 if value.kind == "unknown" and not site.place.host else read_on_device(value))


def _told(sure: int) -> Found | None:
    return (
        Found("`{code}` reads the smallest and largest value and waits twice", sure)
        if sure
        else None
    )

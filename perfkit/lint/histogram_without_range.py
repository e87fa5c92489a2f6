"""`histc` without a range.

**What it finds**: `histc` of a tensor that is likely on the device, without `min` and `max`.

**Why it hurts**: reads the smallest and the largest value: the host waits for both.

**Instead**: give `min=` and `max=`.

**When not to act**: where the range is unknown.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site, read_on_device
from perfkit.lint._value import UNKNOWN, Value

CODE = "PK136"
KIND = "histc"
METHODS = ("histc",)
FUNCTIONS = ("torch.histc",)

SILENT = (
    "v = torch.histc(x, 4, 0, 3)",
    "v = torch.histc(x, bins=4, min=0, max=3)",
)
FOUND = ("v = torch.histc(x, bins=4)  # found",)


def function(site: Site) -> Found | None:
    """The function."""
    return _told(site, site.arg(0, "input") or UNKNOWN)


def method(site: Site) -> Found | None:
    """The method."""
    return _told(site, site.receiver)


def _told(site: Site, value: Value) -> Found | None:
    if site.kwargs.keys() & {"min", "max"} or len(site.args) > 2:
        return None
    sure = read_on_device(value)
    return Found("`{code}` reads the smallest and the largest value", sure) if sure else None

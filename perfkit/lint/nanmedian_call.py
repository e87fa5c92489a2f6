"""`nanmedian` of a whole tensor.

**What it finds**: `nanmedian` of a tensor that is likely on the device.

**Why it hurts**: reads one element to the host: the host waits for everything queued before.

**Instead**: fill NaN with `nan_to_num` or mask first, then `median`.

**When not to act**: outside the step.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site, read_on_device
from perfkit.lint._value import UNKNOWN, Value

CODE = "PK135"
KIND = "nanmedian"
METHODS = ("nanmedian",)
FUNCTIONS = ("torch.nanmedian",)

SILENT = (
    "v = x.median()",
    "v = torch.ones(3).nanmedian()",
)
FOUND = (
    "v = x.nanmedian()  # found",
    "v = torch.nanmedian(x)  # found",
)


def function(site: Site) -> Found | None:
    """The function."""
    return _told(site, site.arg(0, "input") or UNKNOWN)


def method(site: Site) -> Found | None:
    """The method."""
    return _told(site, site.receiver)


def _told(site: Site, value: Value) -> Found | None:
    sure = read_on_device(value)
    return Found("`{code}` reads one element to the host", sure) if sure else None

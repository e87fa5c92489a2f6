"""`repeat_interleave` by a tensor without `output_size`.

**What it finds**: `repeat_interleave` whose repeats are a tensor likely on the device, without
`output_size=`.

**Why it hurts**: the host reads the total and whether all repeats are positive: two waits.

**Instead**: pass `output_size=`: the total is usually the row count of the packed tensor.

**When not to act**: where nobody on the host knows the total.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site
from perfkit.lint._value import Value

CODE = "PK124"
KIND = "repeat_interleave"
METHODS = ("repeat_interleave",)
FUNCTIONS = ("torch.repeat_interleave",)

SILENT = (
    "v = x.repeat_interleave(2, dim=0)",
    "v = x.repeat_interleave(y, output_size=x.shape[0])",
    "n = x.shape[0]\nv = torch.repeat_interleave(x, n)",
)
FOUND = (
    "v = x.repeat_interleave(y)  # found",
    "v = torch.repeat_interleave(x, y, dim=0)  # found",
)


def method(site: Site) -> Found | None:
    """`x.repeat_interleave(repeats)`."""
    return _told(site, site.arg(0, "repeats"))


def function(site: Site) -> Found | None:
    """`torch.repeat_interleave(x, repeats)`, `torch.repeat_interleave(repeats)`."""
    return _told(site, site.arg(1, "repeats") or site.arg(0, "input"))


def _told(site: Site, repeats: Value | None) -> Found | None:
    if repeats is None or "output_size" in site.kwargs or not repeats.holds_data:
        return None
    if repeats.on == "host" and site.receiver.on != "device":
        return None
    return Found("`{code}` reads the total of its repeats and waits", repeats.sure)

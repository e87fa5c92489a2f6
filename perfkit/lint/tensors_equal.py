"""Two tensors compared to one Python bool.

**What it finds**: `torch.equal`, `torch.allclose` and the methods of tensors that are likely on the
device.

**Why it hurts**: the answer is a Python bool, so the host waits for the comparison.

**Instead**: keep the comparison on the device, or compare outside the step.

**When not to act**: in tests.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site, read_on_device
from perfkit.lint._value import UNKNOWN, Value

CODE = "PK128"
KIND = "equal"
METHODS = ("equal", "allclose")
FUNCTIONS = ("torch.equal", "torch.allclose")

SILENT = (
    "v = torch.eq(x, y)",
    "v = (x == y).all()",
    "v = torch.equal(torch.ones(1), torch.ones(1))",
)
FOUND = (
    "v = torch.equal(x, y)  # found",
    "v = x.allclose(y)  # found",
)


def method(site: Site) -> Found | None:
    """`x.equal(y)`."""
    return _told(site, site.receiver)


def function(site: Site) -> Found | None:
    """`torch.equal(x, y)`."""
    return _told(site, site.arg(0, "input") or UNKNOWN)


def _told(site: Site, value: Value) -> Found | None:
    sure = read_on_device(value)
    return Found("`{code}` waits for the comparison", sure) if sure else None

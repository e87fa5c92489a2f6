"""`combinations`: a mask decides which remain.

**What it finds**: `torch.combinations` and `cartesian`-like helpers that select by a mask, on the
device.

**Why it hurts**: waits to learn how many combinations there are: it selects them by a mask.

**Instead**: `torch.triu_indices(n, n, 1)` with the length, which the host knows.

**When not to act**: outside the step.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site, read_on_device
from perfkit.lint._value import UNKNOWN, Value

CODE = "PK137"
KIND = "nonzero"
FUNCTIONS = ("torch.combinations",)

SILENT = (
    "v = torch.triu_indices(4, 4, 1)",
    "v = torch.combinations(torch.ones(3))",
)
FOUND = ("v = torch.combinations(x)  # found",)


def function(site: Site) -> Found | None:
    """The function."""
    return _told(site, site.arg(0, "input") or UNKNOWN)


def _told(site: Site, value: Value) -> Found | None:
    sure = read_on_device(value)
    return Found("`{code}` waits to learn how many combinations there are", sure) if sure else None

"""Indices of non-zero elements: the size of the result depends on values.

**What it finds**: `nonzero`, `argwhere`, `to_sparse` and one-argument `where` of a tensor that is
likely on the device.

**Why it hurts**: the host must learn the count before it can allocate the result, so it waits.

**Instead**: `torch.where(cond, a, b)` or masked arithmetic when only values are needed,
`nonzero_static(size=n)` when the count is known or bounded, one sort by key for routing to experts.

**When not to act**: where the selection saves much more work than the wait costs.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site

CODE = "PK121"
KIND = "nonzero"
METHODS = ("nonzero", "argwhere", "to_sparse")
FUNCTIONS = ("torch.nonzero", "torch.argwhere", "torch.where")

SILENT = (
    "v = torch.where(mask, x, y)",
    "v = torch.nonzero_static(mask, size=4)",
    "v = x.count_nonzero()",
    "v = torch.nonzero(torch.tensor([0, 1]))",
    "v = np.nonzero([0, 1])",
)
FOUND = (
    "v = mask.nonzero()  # found",
    "v = torch.nonzero(x > 0)  # found",
    "rows, columns = torch.where(x > 0)  # found",
    "v = torch.argwhere(mask)  # found",
)


def method(site: Site) -> Found | None:
    """`x.nonzero()`."""
    value = site.receiver
    if value.on == "host" or value.kind not in ("tensor", "tree", "unknown"):
        return None
    if value.kind == "unknown" and (site.name != "nonzero" or site.place.host):
        return None
    return _told(value.sure if value.on else 2)


def function(site: Site) -> Found | None:
    """`torch.nonzero(x)`, `torch.where(x)`."""
    if site.name == "torch.where" and len(site.args) + len(site.kwargs) != 1:
        return None
    value = site.arg(0, "input")
    if value is None or value.on == "host":
        return None
    return _told(value.sure if value.on else 2)


def _told(sure: int) -> Found:
    return Found("`{code}` waits to learn how many elements there are", sure)

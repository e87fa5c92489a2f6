"""The truth of a tensor: Python asks the device before it goes on.

**What it finds**: `if`, `while`, `assert`, `not`, `and`, `or` and `bool()` of a tensor that is
likely on the device.

**Why it hurts**: a branch needs the value now, so the host waits for everything queued before.

**Instead**: drop tests for emptiness (work on an empty selection does nothing), decide on the
device with `torch.where`, let the device check (`torch._assert_async`), or test every N steps.

**When not to act**: where the branch saves more work than the wait costs, as with early exit from
decoding every few tokens.
"""

from __future__ import annotations

import ast

from perfkit.lint._site import Found, Site, read_on_device
from perfkit.lint._value import UNKNOWN, Value

CODE = "PK102"
KIND = "item"
METHODS = ("is_nonzero",)
FUNCTIONS = ("torch.is_nonzero",)

SILENT = (
    "if x is None:\n    pass",
    "if x.dim() == 2 and x.shape[0] > 1:\n    pass",
    "if isinstance(x, float):\n    pass",
    "v = torch.where(x > 0, x, y)",
    "if self.training:\n    pass",
    "if x.cpu().any():\n    pass",
    "if x.is_cuda or x.dtype == torch.float16:\n    pass",
)
FOUND = (
    "if mask.any():  # found\n    x = x + 1",
    "while (x > 1).any():  # found\n    x = x / 2",
    "assert torch.isfinite(x).all()  # found",
    "ok = not torch.equal(x, y) or bool(x.sum() > 0)  # found",
    "v = x if x.max() > 1 else y  # found",
)


def truth(site: Site) -> Found | None:
    """A tensor in a condition."""
    return _told(site, site.receiver)


def method(site: Site) -> Found | None:
    """`x.is_nonzero()`."""
    return _told(site, site.receiver)


def function(site: Site) -> Found | None:
    """`torch.is_nonzero(x)`."""
    return _told(site, site.arg(0, "input") or UNKNOWN)


def _told(site: Site, value: Value) -> Found | None:
    sure = read_on_device(value)
    if not sure:
        return None
    if isinstance(site.node, ast.Name) and value.rank is None and sure < 3:
        sure = 1  # a parameter that may be a list or None
    return Found("the truth of `{code}` makes the host wait for the device", sure)

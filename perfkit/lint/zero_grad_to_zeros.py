"""Gradients filled with zeros instead of dropped.

**What it finds**: `zero_grad(set_to_none=False)`.

**Why it hurts**: every gradient is written, then read and added to; dropping them saves both and
the memory meanwhile.

**Instead**: leave the argument out: `None` is the default.

**When not to act**: where code reads `.grad` between the steps and expects a tensor.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site

CODE = "PK202"
KIND = None
FIX = "leave set_to_none out"
METHODS = ("zero_grad",)

SILENT = (
    "self.optimizer.zero_grad()",
    "self.optimizer.zero_grad(set_to_none=True)",
)
FOUND = (
    "self.optimizer.zero_grad(set_to_none=False)  # found",
    "self.optimizer.zero_grad(False)  # found",
)


def method(site: Site) -> Found | None:
    """`optimizer.zero_grad(set_to_none=False)`."""
    if site.constant(0, "set_to_none") is not False:
        return None
    return Found("`{code}` writes zeros that the next backward pass reads again", 3)

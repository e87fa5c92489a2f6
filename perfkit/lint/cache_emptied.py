"""`empty_cache` inside a loop or a step.

**What it finds**: `torch.cuda.empty_cache()` in loops, forward and steps.

**Why it hurts**: memory goes back to the driver, which waits for the device, and must be asked for
again.

**Instead**: call it outside the step, if at all.

**When not to act**: between phases of very different size that would not fit otherwise.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site

CODE = "PK162"
KIND = "empty_cache"
FUNCTIONS = ("torch.cuda.empty_cache", "torch.accelerator.empty_cache")

SILENT = ("import torch\n\n\ndef done():\n    torch.cuda.empty_cache()\n",)
FOUND = (
    "for row in x:\n    torch.cuda.empty_cache()  # found",
    "torch.cuda.empty_cache()  # found",
)


def function(site: Site) -> Found | None:
    """`torch.cuda.empty_cache()`."""
    if site.place.loop is None and not site.place.hot:
        return None
    return Found("`{code}` waits for the device and gives memory back that is needed again", 3)

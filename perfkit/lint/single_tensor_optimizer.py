"""An optimizer that goes through the parameters one by one.

**What it finds**: an optimizer of `torch.optim` made with `foreach=False` and without `fused=True`.

**Why it hurts**: several small kernels per parameter instead of a few for all.

**Instead**: leave `foreach` out, or `fused=True` where the optimizer has it.

**When not to act**: where the memory of the grouped temporaries is not there.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site

CODE = "PK203"
KIND = None
FIX = "leave foreach out, or pass fused=True"
FUNCTIONS = ("torch.optim.*",)
ANYWHERE = True

SILENT = (
    "o = torch.optim.Adam(self.parameters())",
    "o = torch.optim.Adam(self.parameters(), foreach=False, fused=True)",
)
FOUND = ("o = torch.optim.Adam(self.parameters(), foreach=False)  # found",)


def function(site: Site) -> Found | None:
    """`torch.optim.Adam(parameters, foreach=False)`."""
    if site.constant(99, "foreach") is not False or site.constant(99, "fused") is True:
        return None
    return Found("`{code}` launches several small kernels per parameter", 3)

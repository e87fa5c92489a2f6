"""A DataLoader that works in the training process, or from pageable memory.

**What it finds**: `DataLoader(...)` for a program that copies to a device, without `num_workers` or
without `pin_memory=True`.

**Why it hurts**: batches are made while the device waits; from pageable memory no copy overlaps
with computing.

**Instead**: `num_workers` of a few, `pin_memory=True`, `persistent_workers=True`, and copies with
`non_blocking=True`.

**When not to act**: data already in memory as tensors, made in microseconds; a program that never
leaves the CPU.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site

CODE = "PK204"
KIND = None
FIX = "num_workers, pin_memory=True, and copies with non_blocking=True"
FUNCTIONS = ("torch.utils.data.DataLoader", "torch.utils.data.dataloader.DataLoader")
ANYWHERE = True

SILENT = (
    "from torch.utils.data import DataLoader\n\nloader = DataLoader([1, 2])\n",
    "from torch.utils.data import DataLoader\n"
    "\n"
    "loader = DataLoader([1], num_workers=4, pin_memory=True)\n"
    "for b in loader:\n"
    "    b.to('cuda')\n",
)
FOUND = (
    "from torch.utils.data import DataLoader\n"
    "\n"
    "loader = DataLoader([1, 2])  # found\n"
    "for b in loader:\n"
    "    b.to('cuda')\n",
)


def function(site: Site) -> Found | None:
    """`DataLoader(data)`."""
    lacking = []
    if "num_workers" not in site.kwargs or site.constant(99, "num_workers") == 0:
        lacking.append("num_workers")
    if "pin_memory" not in site.kwargs or site.constant(99, "pin_memory") is False:
        lacking.append("pin_memory=True")
    if not lacking or not site.facts.get("copies"):
        return None
    return Found("this DataLoader has no " + " and no ".join(lacking), 2)

"""`non_blocking=True` from memory that is not pinned.

**What it finds**: `.to(device, non_blocking=True)` of a tensor just made on the CPU.

**Why it hurts**: the driver stages pageable memory itself, so the call lasts as long as the copy.

**Instead**: pin the source: `DataLoader(pin_memory=True)`, or a pinned buffer that is reused.

**When not to act**: for a few bytes.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site

CODE = "PK144"
KIND = "h2d_pageable_async"
METHODS = ("to", "cuda")

SILENT = (
    "v = torch.ones(3).pin_memory().to(x.device, non_blocking=True)",
    "v = x.to(y.device, non_blocking=True)",
)
FOUND = (
    "v = torch.ones(3).to(x.device, non_blocking=True)  # found",
    "v = torch.from_numpy(np.ones(3)).cuda(non_blocking=True)  # found",
)


def method(site: Site) -> Found | None:
    """`torch.ones(3).to(device, non_blocking=True)`."""
    value = site.receiver
    if site.constant(99, "non_blocking") is not True or value.name == "pinned":
        return None
    if value.kind != "tensor" or value.on != "host" or value.sure < 3:
        return None
    target = site.arg(0, "device")
    if target is not None and target.on == "host":
        return None
    return Found("`{code}` copies from memory that is not pinned: the host waits after all", 2)

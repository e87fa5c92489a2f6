"""A tensor where Python wants a number.

**What it finds**: `int()`, `float()`, `range()` and `math.*` of a tensor that is likely on the
device.

**Why it hurts**: each reads one element: the host waits for everything queued before.

**Instead**: use the torch function of the same name, keep the value as a tensor, or read several at
once.

**When not to act**: once per epoch, or where the value lies on the CPU.
"""

from __future__ import annotations

import ast

from perfkit.lint._site import Found, Site, read_on_device

CODE = "PK103"
KIND = "item"

SILENT = (
    "n = int(x.shape[0])",
    "n = float(len(x))",
    "n = math.sqrt(x.size(-1))",
    "n = int(torch.tensor([1]).sum())",
)
FOUND = (
    "n = int(x.argmax())  # found",
    "n = float(x.mean())  # found",
    "n = math.log(x.sum())  # found",
    "for i in range(x.max()):  # found\n    pass",
)


def number(site: Site) -> Found | None:
    """A tensor given to a function that reads it."""
    if not isinstance(site.node, ast.Call) or site.name == "builtins":
        return None
    sure = read_on_device(site.receiver)
    return Found("`{code}` makes the host wait for the device", sure) if sure else None

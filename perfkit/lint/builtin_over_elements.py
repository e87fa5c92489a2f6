"""Python's `max`, `min` or `in` over a tensor's elements.

**What it finds**: the builtins `max(t)`, `min(t)`, `max(a, b)` and `v in t` with a tensor that is
likely on the device.

**Why it hurts**: Python compares element by element and asks the device for the truth of each
comparison.

**Instead**: `t.max()`, `torch.maximum(a, b)`, `torch.isin`, `(t == v).any()`, and keep the result
on the device.

**When not to act**: where the tensor lies on the CPU.
"""

from __future__ import annotations

import ast

from perfkit.lint._site import Found, Site, read_on_device

CODE = "PK109"
KIND = "item"

SILENT = (
    "n = max(x.shape)",
    "n = max(len(x), 3)",
    "v = x.max()",
    "ok = 'a' in {'a': x}",
    "v = torch.maximum(x, y)",
)
FOUND = (
    "n = max(x)  # found",
    "n = min(x.sum(), y.sum())  # found",
    "ok = 3 in x  # found",
)


def number(site: Site) -> Found | None:
    """`max(t)`, `v in t`."""
    if site.name != "builtins" and not isinstance(site.node, ast.Compare):
        return None
    value = site.receiver
    sure = read_on_device(value) if value.kind == "tensor" else 0
    return Found("`{code}` asks the device about elements one by one", sure) if sure else None

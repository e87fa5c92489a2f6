"""A device tensor made from Python data in every step.

**What it finds**: `torch.tensor(data, device=...)`, `as_tensor(list, device=...)` and
`new_tensor(list)` in code that runs in every step.

**Why it hurts**: the data is built on the host and copied over, and the host waits for the copy.

**Instead**: make it on the device (`torch.full`, `zeros`, `arange` with `device=`), or once,
outside the step.

**When not to act**: before the loop; for data that differ in every step, pin and copy without
waiting.
"""

from __future__ import annotations

import ast

from perfkit.lint._site import Found, Site
from perfkit.lint._value import Value

CODE = "PK142"
KIND = "h2d"
FIX = "make it on the device (torch.full, zeros, arange with device=), or once outside the step"
METHODS = ("new_tensor",)
FUNCTIONS = ("torch.tensor", "torch.as_tensor", "torch.asarray")

SILENT = (
    "v = torch.tensor([1, 2])",
    "v = torch.full((3,), 1.0, device=x.device)",
    "v = torch.tensor([], device=x.device)",
    "v = torch.as_tensor(x, device=y.device)",
    "v = x.new_zeros(3)",
)
FOUND = (
    "v = torch.tensor([1, 2], device=x.device)  # found",
    "v = torch.as_tensor([len(x)], device=x.device)  # found",
    "v = x.new_tensor([1.0])  # found",
)


def function(site: Site) -> Found | None:
    """`torch.tensor(data, device=device)`."""
    target = site.kwargs.get("device")
    data = site.arg(0, "data") or site.arg(0, "obj")
    if target is None or data is None or target.on == "host" or target.kind in ("none", "unknown"):
        return None
    if data.kind == "tensor" or data.holds_data or _empty(site) or _of_tensors(data):
        return None
    sure = 2 if data.kind != "unknown" or site.name == "torch.tensor" else 1
    return Found("`{code}` is built on the host and copied over, blocking", sure)


def method(site: Site) -> Found | None:
    """`x.new_tensor(data)`."""
    data = site.arg(0, "data")
    if site.receiver.on == "host" or data is None or data.holds_data or _empty(site):
        return None
    known = site.receiver.holds_data
    return Found("`{code}` is built on the host and copied over, blocking", 2 if known else 1)


def _empty(site: Site) -> bool:
    first = site.arg_nodes[0] if site.arg_nodes else None
    return isinstance(first, (ast.List, ast.Tuple)) and not first.elts


def _of_tensors(data: Value) -> bool:
    return any(part.kind == "tensor" and part.on == "device" for part in data.inner)

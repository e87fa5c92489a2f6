"""A blocking copy to the host.

**What it finds**: `.cpu()` and `.to("cpu")` of a tensor that is likely on the device.

**Why it hurts**: the host waits for everything queued before, then for the copy.

**Instead**: fetch once for many steps, or into a pinned buffer with `non_blocking=True` and an
event.

**When not to act**: at the end of a run; where a library on the host needs the values in every step
anyway.
"""

from __future__ import annotations

import ast

from perfkit.lint._site import Found, Site

CODE = "PK106"
KIND = "d2h"
METHODS = ("cpu", "to", "copy_")

SILENT = (
    "v = torch.ones(3).cpu()",
    "v = x.to(y.device)",
    "v = x.float()",
)
FOUND = (
    "v = x.cpu()  # found",
    "v = x.detach().to('cpu')  # found",
    "v = x.cpu().numpy()  # found",
)


def method(site: Site) -> Found | None:
    """`x.cpu()`, `x.to("cpu")`."""
    value = site.receiver
    if site.name == "copy_":
        source = site.arg(0, "src")
        if source is None or source.on != "device" or value.on != "host" or value.kind != "tensor":
            return None
        return Found("`{code}` waits for the device and for the copy", min(value.sure, source.sure))
    if value.on == "host" or value.kind not in ("tensor", "tree", "unknown"):
        return None
    if site.name == "to":
        target = site.arg(0, "device")
        if target is None or target.kind != "device" or target.on != "host" or target.sure < 3:
            return None
    sure = max(2, value.sure) if value.holds_data else 2
    if value.kind == "unknown" and not (site.place.hot or site.place.loop or _part(site.node)):
        sure = 1
    return Found("`{code}` waits for the device and for the copy", sure)


def _part(node: ast.AST) -> bool:
    """Is it called on a part of something, `context.scores[0].cpu()`, which a model seldom is?"""
    func = node.func if isinstance(node, ast.Call) else None
    return isinstance(func, ast.Attribute) and isinstance(func.value, ast.Subscript)

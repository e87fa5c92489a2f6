"""A call of `.item()`: the host reads one element and waits for it.

**What it finds**: `.item()` of a tensor that is likely on the device, inside forward, a step, a
loss, a method or a loop.

**Why it hurts**: the host stops until the device has done everything queued before; then the device
has nothing queued.

**Instead**: keep the value on the device (`torch.where`, masked arithmetic), add up on the device
and read once after the loop, or read every N steps.

**When not to act**: once per epoch, in logging every N steps, or where the value lies on the CPU.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site

CODE = "PK101"
KIND = "item"
METHODS = ("item",)

SILENT = (
    "n = x.shape[0]",
    "n = torch.tensor([1.0, 2.0]).max().item()",
    "n = x.cpu().sum().item()",
    "n = np.ones(3).max().item()",
)
FOUND = (
    "n = x.sum().item()  # found",
    "for row in x:\n    total = row.max().item()  # found",
)


def method(site: Site) -> Found | None:
    """`x.item()`."""
    value = site.receiver
    if value.on == "host" or value.kind in ("array", "object", "mapping"):
        return None
    if value.kind == "unknown" and (site.place.host or site.args):
        return None
    sure = 1 if value.name == "lambda" else max(2, value.sure if value.on else 2)
    return Found("`{code}` makes the host wait for the device", sure)

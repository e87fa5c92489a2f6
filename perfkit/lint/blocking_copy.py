"""A blocking copy to the device.

**What it finds**: `.to(device)` and `.cuda()` without `non_blocking=True` of what lies on the host:
batches of a loader, tensors just made on the CPU, a container's own `to(device)`.

**Why it hurts**: the host waits for the copy and everything before it; the device idles until the
next launch.

**Instead**: `pin_memory=True` in the DataLoader and `non_blocking=True` in the copy; make constants
once, on the device.

**When not to act**: before the loop; where copying is a small part of the step.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site
from perfkit.lint._value import Value

CODE = "PK141"
KIND = "h2d"
METHODS = ("to", "cuda", "copy_")
_WHAT = "`{code}` is a blocking copy to the device"

SILENT = (
    "v = x.to(y.device)",
    "v = torch.ones(3).to(torch.float16)",
    "v = torch.ones(3).to(x.device, non_blocking=True)",
    "v = torch.ones(3).to('cpu')",
    "import torch\n"
    "\n"
    "\n"
    "def main(model, loader, device):\n"
    "    model.to(device)\n"
    "    for x, y in loader:\n"
    "        x = x.to(device, non_blocking=True)\n",
)
FOUND = (
    "v = torch.ones(3).to(x.device)  # found",
    "v = torch.FloatTensor([1e-8]).cuda()  # found",
    "import torch\n"
    "\n"
    "\n"
    "def main(model, loader, device):\n"
    "    for x, y in loader:\n"
    "        x = x.to(device)  # found\n"
    "        y = y.cuda()  # found\n",
    "import torch\n"
    "\n"
    "\n"
    "class Batch:\n"
    "    def to(self, device: torch.device):\n"
    "        return [v.to(device) for v in self.values]  # found\n",
)


def method(site: Site) -> Found | None:
    """`x.to(device)`, `x.cuda()`."""
    if site.name == "copy_":
        return _copied(site)
    value, target = site.receiver, _target(site)
    if target is None or target.on == "host" or "non_blocking" in site.kwargs:
        return None
    if value.kind == "array" or value.kind not in ("tensor", "tree", "net", "unknown"):
        return None
    if value.kind == "unknown":
        return Found(_WHAT, 2) if site.place.moves and not site.place.host else None
    if value.on != "host" and not (site.place.moves and value.on != "device"):
        return None
    return Found(_WHAT, min(value.sure, max(1, target.sure)))


def _copied(site: Site) -> Found | None:
    """`x.copy_(from_host)`."""
    source = site.arg(0, "src")
    if source is None or source.kind != "tensor" or source.on != "host" or source.rank == 0:
        return None
    if site.receiver.on != "device" or "non_blocking" in site.kwargs:
        return None
    return Found(_WHAT, min(source.sure, site.receiver.sure))


def _target(site: Site) -> Value | None:
    if site.name == "cuda":
        return Value("device", on="device", sure=3)
    for value in (*site.args[:1], *(v for k, v in site.kwargs.items() if k in ("device", "other"))):
        if value.kind == "device":
            return value if value.on == "host" else value._replace(sure=max(value.sure, 2))
        if value.kind == "tensor" and value.on == "device":
            return value
    return None

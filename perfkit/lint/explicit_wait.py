"""An explicit wait inside a loop or a step.

**What it finds**: `torch.cuda.synchronize()`, and `.synchronize()` of events and streams, in loops,
forward and steps.

**Why it hurts**: the host stops, and the device has nothing queued when it goes on.

**Instead**: `wait_stream` or `wait_event` order work without blocking; measure with events outside
the step.

**When not to act**: in a benchmark, where the wait is what is measured.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site

CODE = "PK161"
KIND = "synchronize"
METHODS = ("synchronize",)
FUNCTIONS = ("torch.cuda.synchronize", "torch.accelerator.synchronize")

SILENT = (
    "import torch\n\n\ndef report():\n    torch.cuda.synchronize()\n",
    "torch.cuda.current_stream().wait_stream(self.side)",
)
FOUND = (
    "torch.cuda.synchronize()  # found",
    "import torch\n"
    "\n"
    "\n"
    "def train(model, batches):\n"
    "    for b in batches:\n"
    "        model(b)\n"
    "        torch.cuda.synchronize()  # found\n",
)


def function(site: Site) -> Found | None:
    """`torch.cuda.synchronize()`."""
    return _told(site, 3)


def method(site: Site) -> Found | None:
    """`event.synchronize()`."""
    return _told(site, 2) if site.receiver.kind == "unknown" and not site.args else None


def _told(site: Site, sure: int) -> Found | None:
    if site.place.loop is None and not site.place.hot:
        return None
    return Found("`{code}` stops the host until the device is idle", sure)

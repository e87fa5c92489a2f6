"""A collective that blocks the host, inside a loop or a step.

**What it finds**: `dist.barrier()` and the collectives of Python objects in loops, forward and
steps.

**Why it hurts**: every rank's host waits for the slowest one, and objects travel through pickle and
two copies.

**Instead**: collectives of tensors on the stream; barriers only around checkpoints.

**When not to act**: once per epoch.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site

CODE = "PK163"
KIND = "collective"
FUNCTIONS = tuple(
    f"torch.distributed.{name}"
    for name in ("barrier", "all_gather_object", "gather_object", "broadcast_object_list")
)

SILENT = (
    "import torch.distributed as dist\n\n\ndef finish():\n    dist.barrier()\n",
    "import torch.distributed as dist\n\n\ndef step(g):\n    dist.all_reduce(g)\n",
)
FOUND = (
    "import torch.distributed as dist\n"
    "\n"
    "\n"
    "def train(loader):\n"
    "    for b in loader:\n"
    "        dist.barrier()  # found\n",
)


def function(site: Site) -> Found | None:
    """`torch.distributed.barrier()`."""
    if site.place.loop is None and not site.place.hot:
        return None
    return Found("`{code}` blocks the host until every rank has come", 3)

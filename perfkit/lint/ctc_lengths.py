"""`ctc_loss` with lengths on the device.

**What it finds**: `F.ctc_loss` whose lengths are tensors likely on the device.

**Why it hurts**: the lengths are copied to the host, which waits for them.

**Instead**: keep the lengths on the CPU, as the loader made them.

**When not to act**: where they are computed on the device and nobody else knows them.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site, read_on_device

CODE = "PK138"
KIND = "ctc_loss"
FUNCTIONS = ("torch.nn.functional.ctc_loss", "torch.ctc_loss")

SILENT = ("v = F.ctc_loss(x, index, torch.tensor([3]), torch.tensor([2]))",)
FOUND = ("v = F.ctc_loss(x, index, y, y)  # found",)


def function(site: Site) -> Found | None:
    """`F.ctc_loss(x, targets, input_lengths, target_lengths)`."""
    lengths = [v for v in (site.arg(2, "input_lengths"), site.arg(3, "target_lengths")) if v]
    sure = max((read_on_device(v) for v in lengths if v.kind == "tensor"), default=0)
    return Found("`{code}` copies its lengths to the host and waits", sure) if sure else None

"""`torch.tensor([t0, t1])` of values that already lie on the device.

**What it finds**: `torch.tensor` or `as_tensor` of a list of tensors that are likely on the device.

**Why it hurts**: each is read to the host and sent back: one wait per element.

**Instead**: `torch.stack([t0, t1])`.

**When not to act**: where the values lie on the CPU.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site, read_on_device

CODE = "PK145"
KIND = "tensor_of_scalars"
FUNCTIONS = ("torch.tensor", "torch.as_tensor", "torch.FloatTensor")

SILENT = (
    "v = torch.tensor([1.0, 2.0])",
    "v = torch.stack([x.sum(), y.sum()])",
    "v = torch.tensor([len(x), 2])",
)
FOUND = (
    "v = torch.tensor([x.sum(), y.sum()])  # found",
    "losses = [row.sum() for row in x]\nv = torch.tensor(losses)  # found",
)


def function(site: Site) -> Found | None:
    """`torch.tensor([x.sum(), y.sum()])`."""
    data = site.arg(0, "data")
    if data is None or data.kind != "sequence":
        return None
    sure = max((read_on_device(part) for part in data.inner if part.kind == "tensor"), default=0)
    return (
        Found("`{code}` reads every element to the host and waits for each", sure) if sure else None
    )

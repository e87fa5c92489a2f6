"""A one-element device tensor where Python needs an integer.

**What it finds**: `x[t]`, `x[:t]`, `items[t]` with a tensor of no dimensions; `torch.zeros(t)`,
`torch.full(size, t)` and the like.

**Why it hurts**: a size or a position must be known on the host: each such tensor is read, and the
host waits.

**Instead**: index with a tensor of one dimension (`x[t.view(1)]`, `index_select`, `gather`), mask
instead of slicing, or read all bounds at once.

**When not to act**: where the tensor lies on the CPU.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site

CODE = "PK108"
KIND = "item"
METHODS = ("narrow", "view", "reshape", "repeat", "expand", "topk", "split", "chunk", "select")
FUNCTIONS = (
    "torch.zeros",
    "torch.ones",
    "torch.arange",
    "torch.full",
    "torch.empty",
    "torch.linspace",
)
_SIZES = ("end", "start", "size", "fill_value")

SILENT = (
    "v = x[0]",
    "v = x[:, index]",
    "v = x[: x.shape[0] // 2]",
    "v = torch.zeros(x.shape[0], device=x.device)",
    "v = x[index.view(1)]",
)
FOUND = (
    "v = x[x.argmax()]  # found",
    "v = x[: index.max()]  # found",
    "v = torch.arange(x.max(), device=x.device)  # found",
    "names = ['a', 'b']\nv = names[x.argmax()]  # found",
)


def read(site: Site) -> Found | None:
    """`x[t]`."""
    owner = site.receiver.kind
    if owner not in ("tensor", "tree", "sequence", "unknown", "net"):
        return None
    for part in site.index:
        bounds = part.inner if part.kind == "slice" else (part,)
        for value in bounds:
            bare = part.kind == "slice" or (value.rank == 0 and value.dtype != "bool")
            if bare and value.kind == "tensor" and value.on == "device":
                return Found("`{code}` reads its index from the device and waits", value.sure)
    return None


def method(site: Site) -> Found | None:
    """`x.narrow(0, t, 2)`, `x.view(t)`."""
    if not site.receiver.holds_data:
        return None
    for value in (*site.args, *site.kwargs.values()):
        if value.kind == "tensor" and value.on == "device" and value.rank == 0:
            return Found("`{code}` reads a size from the device and waits", value.sure)
    return None


def function(site: Site) -> Found | None:
    """`torch.zeros(t)`, `torch.full(size, t)`."""
    last = site.name.rpartition(".")[2]
    given = [*site.args, *(v for k, v in site.kwargs.items() if k in _SIZES)]
    if last == "full":
        given = [v for v in (site.arg(1, "fill_value"),) if v is not None]
    for value in given:
        parts = value.inner if value.kind == "sequence" else (value,)
        for part in parts:
            if part.kind == "tensor" and part.on == "device" and part.rank in (0, None):
                return Found("`{code}` reads a size from the device and waits", part.sure)
    return None

"""A Python number written at device indices.

**What it finds**: `x[index] = 1` where `index` is a tensor of integers on the device.

**Why it hurts**: the number becomes a CPU tensor that is copied over, and the host waits for the
copy.

**Instead**: `index_fill_`, `scatter_` with a number, or write a device tensor; `x[mask] = 1` does
not wait.

**When not to act**: before the loop.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site
from perfkit.lint._value import Value

CODE = "PK146"
KIND = "h2d"
FIX = "index_fill_, scatter_ with a number, or write a device tensor"

SILENT = (
    "x[mask] = 1.0",
    "x[0] = 1.0",
    "x[:, 1:] = 0",
    "x[index.long()] = y",
    "x[x > 0] = 1",
    "chosen = x > 0\nchosen[x > 3] = False",
)
FOUND = (
    "x[index.long()] = 1  # found",
    "x[x.argmax(-1)] = 0.0  # found",
    "rows, cols = (x > 0).nonzero(as_tuple=True)\nx[rows, cols] = 1  # found",
    "chosen = x.new_zeros(9, dtype=torch.bool)\nchosen[y.view(-1)] = True  # found",
)


def write(site: Site) -> Found | None:
    """`x[index] = 1`."""
    owner, value = site.receiver, site.value
    if owner.kind != "tensor" or owner.on == "host" or value is None or value.kind != "number":
        return None
    integers = _integers(site)
    if not integers or any(part.on != "device" for part in integers):
        return None
    return Found(
        "`{code} = ...` copies the number to the device and waits", min(2, integers[0].sure)
    )


def _integers(site: Site) -> list[Value]:
    """The parts that are tensors of integers, or must be: two of them, or one into a mask."""
    parts = [p for p in site.index if p.kind == "tensor" and p.rank != 0 and p.dtype != "bool"]
    for part in site.index:
        if part.kind == "sequence" and part.inner and all(p.kind == "tensor" for p in part.inner):
            parts += [p for p in part.inner if p.dtype == "int"]
    if len(parts) > 1:
        return parts
    return [p for p in parts if p.dtype == "int" or site.receiver.dtype == "bool"]

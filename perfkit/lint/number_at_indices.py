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

CODE = "PK146"
KIND = "h2d"
FIX = "index_fill_, scatter_ with a number, or write a device tensor"

SILENT = (
    "x[mask] = 1.0",
    "x[0] = 1.0",
    "x[:, 1:] = 0",
    "x[index.long()] = y",
    "x[x > 0] = 1",
)
FOUND = (
    "x[index.long()] = 1  # found",
    "x[x.argmax(-1)] = 0.0  # found",
)


def write(site: Site) -> Found | None:
    """`x[index] = 1`."""
    owner, value = site.receiver, site.value
    if owner.kind != "tensor" or owner.on == "host" or value is None or value.kind != "number":
        return None
    integers = [p for p in site.index if p.kind == "tensor" and p.dtype == "int" and p.rank != 0]
    if not integers or any(part.on != "device" for part in integers):
        return None
    return Found(
        "`{code} = ...` copies the number to the device and waits", min(2, integers[0].sure)
    )

"""A tensor formatted for people.

**What it finds**: `print(t)`, `str(t)`, f-strings and `%` of a tensor that is likely on the device.

**Why it hurts**: formatting reads the tensor several times; each read waits for the device.

**Instead**: print every N steps, from one copy fetched with `.cpu()`.

**When not to act**: in messages of exceptions, and in logging every N steps.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site, read_on_device

CODE = "PK105"
KIND = "print"
METHODS = ("format",)

SILENT = (
    "print(x.shape, x.dtype)",
    "s = f'{x.device} {x.size(0)}'",
    "if x.shape[0] == 0:\n    raise ValueError(f'{x}')",
)
FOUND = (
    "print(x.sum())  # found",
    "s = f'loss {x.mean():.3f}'  # found",
)


def shown(site: Site) -> Found | None:
    """A tensor turned into text."""
    return _told(site)


def method(site: Site) -> Found | None:
    """`"{}".format(x)`."""
    if site.receiver.kind != "text":
        return None
    given = next((v for v in (*site.args, *site.kwargs.values()) if v.kind == "tensor"), None)
    return _told(Site(site.node, site.place, receiver=given)) if given is not None else None


def _told(site: Site) -> Found | None:
    sure = read_on_device(site.receiver)
    return Found("formatting `{code}` reads it from the device and waits", sure) if sure else None

"""A whole tensor turned into Python numbers.

**What it finds**: `.tolist()` of a tensor that is likely on the device.

**Why it hurts**: the host waits, copies, and builds one Python object per element.

**Instead**: do the arithmetic on the device; where Python must see the values, fetch once for many
steps.

**When not to act**: at the end of a run, or for the few values that decide what is launched next.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site, read_on_device

CODE = "PK104"
KIND = "tolist"
METHODS = ("tolist",)

SILENT = (
    "v = x.cpu().tolist()",
    "v = np.ones(3).tolist()",
    "v = list(x.shape)",
)
FOUND = ("v = x.argmax(-1).tolist()  # found",)


def method(site: Site) -> Found | None:
    """`x.tolist()`."""
    sure = read_on_device(site.receiver)
    if site.receiver.kind == "unknown" and site.facts.get("only_torch") and not site.place.host:
        sure = 2 if site.place.function else 1
    return Found("`{code}` copies the tensor to the host and waits", max(2, sure)) if sure else None

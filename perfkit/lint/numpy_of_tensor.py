"""NumPy on a device tensor.

**What it finds**: `.numpy()` and `np.*` functions given a tensor that is likely on the device.

**Why it hurts**: on a GPU this raises TypeError; with a `.cpu()` before it, it waits for the
device.

**Instead**: use the torch function of the same name, or copy once to pinned memory.

**When not to act**: where the tensor lies on the CPU.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site, read_on_device

CODE = "PK107"
KIND = "numpy"
METHODS = ("numpy", "__array__")
FUNCTIONS = ("numpy.*",)

SILENT = (
    "v = x.cpu().numpy()  # other",
    "v = np.asarray([1, 2])",
    "v = np.zeros(x.shape[0])",
)
FOUND = (
    "v = np.asarray(x)  # found",
    "v = x.numpy()  # found",
)


def method(site: Site) -> Found | None:
    """`x.numpy()`."""
    return _told(read_on_device(site.receiver))


def function(site: Site) -> Found | None:
    """`np.anything(x)`."""
    given = max((read_on_device(value) for value in site.args), default=0)
    return _told(given) if given >= 2 else None


def _told(sure: int) -> Found | None:
    return Found("`{code}` takes a device tensor to NumPy", sure) if sure else None

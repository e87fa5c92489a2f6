"""`one_hot` without the number of classes.

**What it finds**: `F.one_hot(t)` without `num_classes`, of a tensor that is likely on the device.

**Why it hurts**: the largest value is read first, so the host waits.

**Instead**: give `num_classes=`.

**When not to act**: where the number of classes is unknown; then the shape changes from batch to
batch.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site
from perfkit.lint._value import UNKNOWN

CODE = "PK127"
KIND = "one_hot"
FUNCTIONS = ("torch.nn.functional.one_hot",)

SILENT = (
    "v = F.one_hot(index, 4)",
    "v = F.one_hot(index, num_classes=x.shape[-1])",
    "v = F.one_hot(torch.tensor([1]))",
)
FOUND = (
    "v = F.one_hot(index)  # found",
    "v = torch.nn.functional.one_hot(index)  # found",
    "v = F.one_hot(index, index.max() + 1)  # found",
)


def function(site: Site) -> Found | None:
    """`F.one_hot(t)`."""
    value, classes = site.arg(0, "input") or UNKNOWN, site.arg(1, "num_classes")
    if classes is not None and classes.kind == "tensor" and classes.on == "device":
        return Found("`{code}` reads the number of classes from the device and waits", classes.sure)
    if value.on == "host" or (classes is not None and site.constant(1, "num_classes") != -1):
        return None
    return Found("`{code}` reads the largest class and waits", max(2, value.sure))

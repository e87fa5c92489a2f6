"""Anomaly detection left on.

**What it finds**: `torch.autograd.set_detect_anomaly(True)` and `detect_anomaly()`.

**Why it hurts**: every result of every backward function is searched for NaN, and the host waits
for each answer.

**Instead**: turn it on only while hunting for a NaN.

**When not to act**: while hunting for a NaN.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site

CODE = "PK134"
KIND = "anomaly_check"
FUNCTIONS = (
    "torch.autograd.set_detect_anomaly",
    "torch.autograd.detect_anomaly",
    "torch.autograd.anomaly_mode.detect_anomaly",
)
ANYWHERE = True

SILENT = (
    "torch.autograd.set_detect_anomaly(False)",
    "torch.autograd.set_detect_anomaly(self.debug)",
)
FOUND = (
    "torch.autograd.set_detect_anomaly(True)  # found",
    "with torch.autograd.detect_anomaly():  # found\n    pass",
)


def function(site: Site) -> Found | None:
    """`torch.autograd.set_detect_anomaly(True)`."""
    last = site.name.rpartition(".")[2]
    if last == "set_detect_anomaly" and site.constant(0, "mode") is not True:
        return None
    return Found("`{code}` makes every backward function wait", 3)

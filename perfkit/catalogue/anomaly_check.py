"""
Autograd's anomaly detection.

**Synchronises**: under `torch.autograd.set_detect_anomaly(True)` (or `detect_anomaly()`), once per
gradient of every backward: each is searched for NaN and the answer read by the host.

**Looks alike, does not**: `detect_anomaly(check_nan=False)`, which only keeps the forward's stacks.

**Instead**: leave it off; turn it on to find a NaN that has shown itself.
"""

from __future__ import annotations

DIRECTION = "d2h"
FIX = "turn anomaly detection off (set_detect_anomaly); it is for hunting a NaN that was seen"

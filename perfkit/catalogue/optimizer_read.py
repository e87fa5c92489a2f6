"""An optimizer that reads values to the host.

**Synchronises**: L-BFGS (line search on the host), and optimizers given tensors as hyper-parameters
without `capturable=True`.

**Looks alike, does not**: Adam's `step` counters, which live on the CPU.

**Instead**: `capturable=True` or `fused=True`; Python numbers as hyper-parameters.
"""

from __future__ import annotations

DIRECTION = "d2h"
FIX = "Python numbers as hyper-parameters, or fused=True / capturable=True"
INSIDE = ("optim/",)

"""Argument checks of `torch.distributions`.

**Synchronises**: constructing a distribution or calling `log_prob` with validation on: every
constraint ends in `.all()` read by the host.

**Looks alike, does not**: the same with `validate_args=False`.

**Instead**: `validate_args=False`, or `torch.distributions.Distribution.set_default_validate_args(False)`.
"""

from __future__ import annotations

DIRECTION = "d2h"
FIX = "validate_args=False"
INSIDE = ("distributions/",)

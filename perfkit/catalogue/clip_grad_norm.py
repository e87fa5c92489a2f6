"""Gradient clipping that raises on non-finite norms.

**Synchronises**: `clip_grad_norm_(..., error_if_nonfinite=True)`, once per call.

**Looks alike, does not**: `clip_grad_norm_` without that argument.

**Instead**: leave it out and look at the returned norm every N steps.
"""

from __future__ import annotations

DIRECTION = "d2h"
FIX = "leave out error_if_nonfinite and look at the returned norm every N steps"
INSIDE = ("nn/utils/clip_grad.py",)

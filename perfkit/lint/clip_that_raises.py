"""Gradient clipping that raises on non-finite norms.

**What it finds**: `clip_grad_norm_(..., error_if_nonfinite=True)`.

**Why it hurts**: whether to raise is decided on the host, so it waits for the whole backward pass
in every step.

**Instead**: leave it out and look at the returned norm every N steps.

**When not to act**: while hunting for the step that breaks.
"""

from __future__ import annotations

from perfkit.lint._site import Found, Site

CODE = "PK132"
KIND = "clip_grad_norm"
FUNCTIONS = ("torch.nn.utils.clip_grad_norm_", "torch.nn.utils.clip_grad.clip_grad_norm_")

SILENT = (
    "nn.utils.clip_grad_norm_(self.parameters(), 1.0)",
    "nn.utils.clip_grad_norm_(self.parameters(), 1.0, error_if_nonfinite=False)",
)
FOUND = ("nn.utils.clip_grad_norm_(self.parameters(), 1.0, error_if_nonfinite=True)  # found",)


def function(site: Site) -> Found | None:
    """`clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)`."""
    if site.constant(3, "error_if_nonfinite") is not True:
        return None
    return Found("`{code}` waits for the whole backward pass", 3)

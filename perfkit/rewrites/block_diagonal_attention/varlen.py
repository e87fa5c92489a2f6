"""Flash attention over users of any length, on CUDA."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from perfkit.rewrites.block_diagonal_attention.plan import AttentionPlan

HALF = (torch.float16, torch.bfloat16)


def by_varlen(q: Tensor, k: Tensor, v: Tensor, plan: AttentionPlan) -> Tensor:
    """One kernel for all users; their bounds are on the device, their largest length on the host.

    With fewer queries than keys the kernel lets the last query see the last key, so only the last
    rows of each user may ask.
    """
    if not plan.queries:
        return torch.zeros_like(q)
    bounds = (plan.query_bounds, plan.key_bounds)
    longest = (int(plan.asking.max()), int(plan.lengths.max()))
    kernel = _torch_kernel()
    if kernel is not None:
        return kernel(q, k, v, *bounds, *longest, **_causal(kernel))
    flash = import_module("flash_attn").flash_attn_varlen_func
    out: Tensor = flash(q, k, v, *bounds, *longest, causal=True)
    return out


def no_varlen(q: Tensor, k: Tensor, v: Tensor, plan: AttentionPlan) -> str | None:
    """Why `by_varlen` cannot take these inputs; None where it can."""
    if q.device.type != "cuda" or torch.version.cuda is None:
        return "variable-length flash attention needs CUDA"
    if q.dtype not in HALF:
        return f"variable-length flash attention has no {q.dtype}"
    if torch.cuda.get_device_capability(q.device)[0] < 8:
        return "flash attention needs compute capability 8 or later"
    if q.shape[-1] % 8 or q.shape[-1] > 256:
        return "flash attention needs heads of a multiple of 8 and at most 256"
    if not plan.last_rows_ask:
        return "the kernel takes the last rows of each user as queries, and others ask here"
    if _torch_kernel() is None and not _has_flash_attn():
        return "neither torch.nn.attention.varlen (torch 2.10) nor the package flash_attn is there"
    return None


def _torch_kernel() -> Callable[..., Tensor] | None:
    try:
        kernel: Callable[..., Tensor] = import_module("torch.nn.attention.varlen").varlen_attn
    except ImportError:
        return None
    return kernel


def _has_flash_attn() -> bool:
    try:
        import_module("flash_attn")
    except ImportError:
        return False
    return True


def _causal(kernel: Callable[..., Tensor]) -> dict[str, Any]:
    """How this torch spells causal: first `is_causal`, later a window without a right side."""
    if "is_causal" in inspect.signature(kernel).parameters:
        return {"is_causal": True}
    return {"window_size": (-1, 0)}

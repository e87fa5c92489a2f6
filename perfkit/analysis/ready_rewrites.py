"""Which shipped rewrite fits a sync, judged by its kind, its statement and the loop around it.

A name in the source is a hint and no proof: the rewrite's page says when it applies, and
`perfkit verify` whether it holds. Where nothing is recognised there is no suggestion.
"""

from __future__ import annotations

import re

from perfkit.analysis.source import Source

_EXPERTS = re.compile(r"expert|\bmoe|MoE|SMoE|router", re.IGNORECASE)
_SLOTS = re.compile(r"\bslots?\b|\bbags?\b|feature|offsets", re.IGNORECASE)
_PAIRS = re.compile(r"\bpairs?\b|better|worse|preference", re.IGNORECASE)
_DRAFTS = re.compile(r"draft|accept|\bverify", re.IGNORECASE)
_WRITE = re.compile(r"\]\s*[-+*/]?=[^=]")
_MEAN = re.compile(r"\]\s*\.\s*(mean|sum)\(")
_METRIC = re.compile(r"\+=|\.append\(|\bsum\(|loss|metric|accura|correct|log|print", re.IGNORECASE)
_SELECTIONS = ("nonzero", "mask_index", "masked_select")
_READS = ("item", "tolist", "d2h")

MADE = re.compile(r"\b(torch|np)\.(tensor|as_tensor|arange|zeros|ones|full)\(")
"""A statement that makes a tensor: of Python numbers, so no prefetch brings it to the device earlier."""

NAMED = (
    "segment_ids",
    "moe_dispatch",
    "fused_embedding",
    "pinned_prefetch",
    "pairwise_preference_loss",
    "speculative_verify",
    "draft_alignment",
    "masked_write",
    "masked_mean",
    "device_metrics",
)
"""Every rewrite that may be suggested; a contract test holds that each is there."""


def ready_rewrite(kind: str, source: Source | None) -> str | None:
    """Id of the rewrite to read about first; None where none is recognised."""
    if kind == "repeat_interleave":
        return "segment_ids"
    if source is None:
        return None
    if kind in ("h2d", "h2d_pageable_async"):
        if MADE.search(source.code):
            return None
        return "fused_embedding" if _SLOTS.search(source.code) else "pinned_prefetch"
    if kind in _SELECTIONS or kind in _READS:
        return _of_a_loop(source) or _of_a_statement(kind, source.code)
    return None


def _of_a_loop(source: Source) -> str | None:
    """By what is gone through, or by the function's name."""
    around = f"{source.loop_text} {source.function}"
    if source.loop is not None and _EXPERTS.search(around):
        return "moe_dispatch"
    if _DRAFTS.search(around):
        return "draft_alignment" if "align" in around else "speculative_verify"
    if source.loop is not None and _PAIRS.search(around):
        return "pairwise_preference_loss"
    return None


def _of_a_statement(kind: str, code: str) -> str | None:
    if kind in _SELECTIONS:
        if _MEAN.search(code):
            return "masked_mean"
        return "masked_write" if _WRITE.search(code) else None
    return "device_metrics" if kind == "item" and _METRIC.search(code) else None

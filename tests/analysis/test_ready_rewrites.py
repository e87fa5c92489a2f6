"""A rewrite is suggested where it fits, and nowhere else."""

from __future__ import annotations

import pytest

from perfkit.analysis.ready_rewrites import NAMED, ready_rewrite
from perfkit.analysis.source import Source
from perfkit.base import plugins


def source(code: str, loop: str = "", function: str = "f") -> Source:
    return Source(code, function, (), 7 if loop else None, loop)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("item", None),
        ("item", source("if done.item():")),
        ("nonzero", source("rows = mask.nonzero()")),
        ("h2d", source("w = torch.tensor(weights, device=x.device)")),  # nothing to prefetch
        ("h2d", source("slots = torch.as_tensor(slots).to(device)")),
        ("synchronize", source("torch.cuda.synchronize()")),
        ("item", source("size = lengths.max().item()", "for batch in loader:")),
    ],
)
def test_quiet_where_nothing_is_recognised(kind, given):
    assert ready_rewrite(kind, given) is None


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("repeat_interleave", None, "segment_ids"),
        ("item", source("if mask.any():", "for n, expert in enumerate(experts):"), "moe_dispatch"),
        ("nonzero", source("rows = mask.nonzero()", "for n in range(8):", "SMoE.forward"),
         "moe_dispatch"),
        ("mask_index", source("x[mask] = 0.0"), "masked_write"),
        ("mask_index", source("loss = x[mask].mean()"), "masked_mean"),
        ("item", source("total += loss.item()"), "device_metrics"),
        ("item", source("up = s[t > 0].any()", "for pair in choose_pairs(losses):"),
         "pairwise_preference_loss"),
        ("item", source("if int(t) == -1:", "for t in branch:", "align_drafts"), "draft_alignment"),
        ("h2d", source("slot: (values.to(device), offsets.to(device))"), "fused_embedding"),
        ("h2d", source("label = label.to(device)"), "pinned_prefetch"),
    ],
)  # fmt: skip
def test_a_rewrite_is_named_by_what_the_statement_does(kind, given, expected):
    assert ready_rewrite(kind, given) == expected


def test_every_suggestion_is_shipped():
    assert set(NAMED) <= set(plugins.names("perfkit.rewrites"))

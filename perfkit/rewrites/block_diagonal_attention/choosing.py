"""Which form suits a device and the lengths of a batch.

The cost of each form is estimated from counts of calls, rows and pairs of rows; the cheapest is
taken. The constants for a CPU were fitted on one thread of a server core to batches from 12 to 6867
rows (4 heads of 32, float32), where the estimates are within a fifth of the times. Those for a GPU
are not measured: launches at 7 us, flops at a third of what the card gives in half precision.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from perfkit.rewrites.block_diagonal_attention.plan import AttentionPlan
from perfkit.rewrites.block_diagonal_attention.varlen import HALF, no_varlen

TINY = 64  # rows up to which one masked call is as good as any, and the least to prepare


@dataclass(frozen=True)
class Costs:
    """Seconds.

    Attributes:
        call: one attention call with what belongs to it.
        bucket: gathering and putting back, for each bucket.
        row: each row of queries and head, in whatever call.
        causal: each pair of a query and a key, and each element of a head, half of them skipped.
        masked: the same under a mask, of which nothing is skipped.
    """

    call: float
    bucket: float
    row: float
    causal: float
    masked: float


ON_A_CPU = Costs(call=9e-6, bucket=35e-6, row=0.3e-6, causal=0.033e-9, masked=0.075e-9)
ON_A_GPU = Costs(call=14e-6, bucket=42e-6, row=0.0, causal=0.05e-12, masked=0.1e-12)
ON_A_GPU_FLOAT32 = Costs(call=14e-6, bucket=42e-6, row=0.0, causal=0.2e-12, masked=0.4e-12)


def choose_form(q: Tensor, k: Tensor, v: Tensor, plan: AttentionPlan) -> str:
    """Name of the form for these tensors; looks at device, dtype and lengths only."""
    if no_varlen(q, k, v, plan) is None:
        return "varlen"
    if plan.keys <= TINY:
        return "dense mask"
    estimated = estimates(plan, q.shape[1], q.shape[2], costs_of(q))
    return min(estimated, key=lambda name: estimated[name])


def costs_of(q: Tensor) -> Costs:
    if q.device.type == "cpu":
        return ON_A_CPU
    return ON_A_GPU if q.dtype in HALF else ON_A_GPU_FLOAT32


def estimates(plan: AttentionPlan, heads: int, size: int, costs: Costs) -> dict[str, float]:
    """Seconds by form."""
    per_row = costs.row * heads
    per_pair = (costs.causal if plan.rows is None else costs.masked) * heads * size
    users = int((plan.asking > 0).sum())
    own_pairs = float((plan.asking * plan.lengths).sum())
    buckets = [
        (len(one), int(plan.asking[one].max()), int(plan.lengths[one].max()))
        for one in plan.grouping
    ]
    padded_rows = sum(count * asked for count, asked, _ in buckets)
    padded_pairs = float(sum(count * asked * length for count, asked, length in buckets))
    everything = float(plan.queries) * plan.keys
    return {
        "by user": users * costs.call + plan.queries * per_row + own_pairs * per_pair,
        "buckets": len(buckets) * costs.bucket + padded_rows * per_row + padded_pairs * per_pair,
        "dense mask": costs.call
        + plan.queries * per_row
        + everything * costs.masked * heads * size,
    }

"""Generations and forms of the lens loss by name; all take and return the same.

What they compute, and why some are fast, is written at
`perfkit.rewrites.pairwise_preference_loss`; the first three are as found.
"""

from __future__ import annotations

from functools import partial

from perfkit.rewrites.pairwise_preference_loss.analytic import analytic
from perfkit.rewrites.pairwise_preference_loss.batched import batched
from perfkit.rewrites.pairwise_preference_loss.compiled import compiled
from perfkit.rewrites.pairwise_preference_loss.history import LensLoss
from perfkit.rewrites.pairwise_preference_loss.lists import over_packed
from perfkit.rewrites.pairwise_preference_loss.pair_vec import pair_vec
from perfkit.rewrites.pairwise_preference_loss.proxy import proxy
from perfkit.rewrites.pairwise_preference_loss.sampled import Sampling, sampled
from perfkit.rewrites.pairwise_preference_loss.side_stream import side_stream
from perfkit.rewrites.pairwise_preference_loss.slow_dict import slow_dict
from perfkit.rewrites.pairwise_preference_loss.slow_elem import slow_elem
from perfkit.rewrites.pairwise_preference_loss.triton_kernel import triton_loss

EXACT: dict[str, LensLoss] = {
    "slow_elem": slow_elem,
    "slow_dict": slow_dict,
    "pair_vec": pair_vec,
    "batched": over_packed(batched),
    "analytic": over_packed(analytic),
    "compiled": over_packed(compiled),
    "triton": over_packed(triton_loss),
    "side_stream": over_packed(side_stream),
}
APPROXIMATE: dict[str, LensLoss] = {
    "proxy": over_packed(proxy),
    "sampled_top": over_packed(partial(sampled, keep=1, how=Sampling.TOP)),
    "sampled_random": over_packed(partial(sampled, keep=1, how=Sampling.RANDOM)),
}
LOSSES: dict[str, LensLoss] = EXACT | APPROXIMATE

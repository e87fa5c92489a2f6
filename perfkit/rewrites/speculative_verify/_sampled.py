"""Sampled verification (Leviathan, Kalman, Matias: arXiv 2211.17192), one chain per sequence.

With p of the main and q of the draft model, token x drawn from q is accepted if u < p(x) / q(x). The
first refused place gets a token from the normalised max(p - q, 0), and a chain accepted throughout
one from p after it. The result is distributed as if drawn from p.
"""

from __future__ import annotations

import torch
from torch import Tensor

from perfkit.rewrites.speculative_verify._claims import NONE, SampledClaim, SampledVerdict


def probabilities(logits: Tensor) -> Tensor:
    """Softmax over the last dimension, in float32 at least."""
    return logits.softmax(-1, dtype=torch.promote_types(logits.dtype, torch.float32))


def residual(p: Tensor, q: Tensor) -> Tensor:
    """What is left of p where q has taken its share, not normalised; p where nothing is left."""
    # so small a share of p decides only where p and q are equal but for rounding
    return (p - q).clamp_min(0).add(p, alpha=1e-20)


def inverse_cdf(weights: Tensor, uniform: Tensor) -> Tensor:
    """Index drawn from weights [..., V] (of any sum) by a uniform number [...] in [0, 1).

    Never an index of weight zero: the number is taken 2 ** -22 smaller, less than the sums' own
    rounding in float32, because its product with the sum could otherwise round up to the sum.
    """
    cdf = weights.cumsum(-1)
    wanted = (uniform.to(cdf.dtype) * (1 - 2**-22)).unsqueeze(-1) * cdf[..., -1:]
    return torch.searchsorted(cdf, wanted, right=True).squeeze(-1)


def looped(claim: SampledClaim) -> SampledVerdict:
    """As met in programs: chain by chain, place by place, until a test fails."""
    batch, length = claim.drafts.shape
    rows, counts = [], []
    for chain in range(batch):
        tokens: list[int] = []
        p, q = claim.p[chain, 0], None
        for place in range(length):
            token = claim.drafts[chain, place].item()
            if token < 0:
                break
            q = claim.q[chain, place]
            if not (claim.uniforms[chain, place] * q[token] < p[token]).item():
                break
            tokens.append(token)
            p, q = claim.p[chain, place + 1], None
        counts.append(len(tokens))
        weights = p if q is None else residual(p, q)
        tokens.append(inverse_cdf(weights, claim.uniforms[chain, length]).item())
        rows.append(tokens + [NONE] * (length + 1 - len(tokens)))
    device = claim.drafts.device
    return SampledVerdict(
        torch.tensor(rows, dtype=torch.int64, device=device).reshape(batch, length + 1),
        torch.tensor(counts, dtype=torch.int64, device=device),
    )


def batched(claim: SampledClaim) -> SampledVerdict:
    """All tests of all chains at once: static shapes, nothing read."""
    length = claim.drafts.shape[1]
    tokens = claim.drafts.clamp_min(0).unsqueeze(-1)
    takes = claim.uniforms[:, :-1] * claim.q.gather(-1, tokens).squeeze(-1)
    passes = takes < claim.p[:, :-1].gather(-1, tokens).squeeze(-1)
    accepted = (passes & (claim.drafts >= 0)).cumprod(-1).sum(-1)
    batch, vocab = claim.p.shape[0], claim.p.shape[2]
    chain = torch.arange(batch, device=accepted.device)
    at = torch.add(accepted, chain, alpha=length + 1)
    p = claim.p.reshape(-1, vocab).index_select(0, at)
    if not length:
        return verdict(claim, accepted, p, torch.zeros_like(p))
    at = (at - chain).clamp_max(batch * length - 1)  # behind a chain, any row: it is ignored
    return verdict(claim, accepted, p, claim.q.reshape(-1, vocab).index_select(0, at))


def verdict(claim: SampledClaim, accepted: Tensor, p: Tensor, q: Tensor) -> SampledVerdict:
    """The accepted tokens, the main model's own, then -1.

    Args:
        accepted: int64 [B], tokens accepted.
        p, q: [B, V] at the place after them; q is ignored where nothing was drafted there.
    """
    drafts = torch.nn.functional.pad(claim.drafts, (0, 1), value=NONE)
    at = accepted.unsqueeze(1)
    weights = residual(p, q * (drafts.gather(1, at) >= 0))
    own = inverse_cdf(weights, claim.uniforms[:, -1]).unsqueeze(1)
    places = torch.arange(drafts.shape[1], device=drafts.device)
    return SampledVerdict(torch.where(places < at, drafts, NONE).scatter(1, at, own), accepted)

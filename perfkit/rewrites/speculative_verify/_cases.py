"""Claims to prove and to measure verification on, and what looks like verification and is not."""

from __future__ import annotations

from dataclasses import replace

import torch

from perfkit.rewrites._rewrite import Case, Inputs
from perfkit.rewrites.speculative_verify import _greedy, _sampled
from perfkit.rewrites.speculative_verify._claims import (
    NONE,
    GreedyClaim,
    GreedyVerdict,
    SampledClaim,
    SampledVerdict,
)

Claim = GreedyClaim | SampledClaim
Verdict = GreedyVerdict | SampledVerdict


def greedy_claim(
    k: int, length: int, vocab: int, agree: float, seed: int, ties: bool = False
) -> GreedyClaim:
    """Random logits; a drafted token is the main model's choice with probability `agree`."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(k, length + 1, vocab, generator=generator)
    if ties:
        logits = logits.round()
    other = torch.randint(vocab, (k, length), generator=generator)
    agrees = torch.rand(k, length, generator=generator) < agree
    return GreedyClaim(logits, torch.where(agrees, logits.argmax(-1)[:, :-1], other))


def sampled_claim(
    batch: int, length: int, vocab: int, distance: float, seed: int, ended: float = 0.0
) -> SampledClaim:
    """A draft model whose logits differ from the main's by noise, and tokens drawn from it."""
    generator = torch.Generator().manual_seed(seed)
    main = 2 * torch.randn(batch, length + 1, vocab, generator=generator)
    noise = distance * torch.randn(batch, length, vocab, generator=generator)
    p, q = main.softmax(-1), (main[:, :-1] + noise).softmax(-1)
    drafts = _sampled.inverse_cdf(q, torch.rand(batch, length, generator=generator))
    drafts[torch.rand(batch, length, generator=generator) < ended] = NONE
    uniforms = torch.rand(batch, length + 1, generator=generator)
    return SampledClaim(p, q, drafts, uniforms)


def greedy(name: str, k: int, length: int, vocab: int, agree: float = 0.9, **more: bool) -> Case:
    """A case of greedy verification; measured where its name gives the vocabulary."""

    def make(seed: int) -> Inputs:
        return (greedy_claim(k, length, vocab, agree, seed, **more),)

    return Case(name, make, f"k={k}, L={length}, V={vocab}", measured="V=" in name)


def sampled(
    name: str, batch: int, length: int, vocab: int, distance: float = 0.35, ended: float = 0.0
) -> Case:
    """A case of sampled verification; measured where its name gives the vocabulary."""

    def make(seed: int) -> Inputs:
        return (sampled_claim(batch, length, vocab, distance, seed, ended),)

    return Case(name, make, f"B={batch}, L={length}, V={vocab}", measured="V=" in name)


def unnormalised(claim: Claim) -> Verdict:
    """exp(logit - largest logit) taken for a probability."""
    if isinstance(claim, GreedyClaim):
        return _greedy.batched(claim)
    p, q = (rows / rows.amax(-1, keepdim=True) for rows in (claim.p, claim.q))
    return _sampled.batched(replace(claim, p=p, q=q))


def resampled_from_p(claim: Claim) -> Verdict:
    """After a refusal, a token from p instead of from what the draft left of it."""
    if isinstance(claim, GreedyClaim):
        return _greedy.batched(claim)
    accepted = _sampled.batched(claim).accepted
    there = claim.p[torch.arange(accepted.numel(), device=accepted.device), accepted]
    return _sampled.verdict(claim, accepted, there, torch.zeros_like(there))


def counted(claim: Claim) -> Verdict:
    """All agreeing tokens counted, also those behind a refused one."""
    if isinstance(claim, SampledClaim):
        return _sampled.batched(claim)
    choice = claim.logits.argmax(-1)
    agrees = choice[..., :-1] == claim.drafts
    return _greedy.verdict(claim.drafts, agrees.sum(-1), choice)


def last_of_equals(claim: Claim) -> Verdict:
    """The last of equally long branches."""
    if isinstance(claim, SampledClaim):
        return _sampled.batched(claim)
    choice = claim.logits.argmax(-1)
    prefixes = (choice[..., :-1] == claim.drafts).cumprod(-1).sum(-1)
    k = prefixes.shape[-1]
    last = prefixes * k + torch.arange(k, device=prefixes.device)
    return _greedy.verdict(claim.drafts, last, choice)

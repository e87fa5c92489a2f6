"""Verification: token for token the found loop's, and distributed as the main model's tokens."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.rewrites._counting import count
from perfkit.rewrites.speculative_verify import (
    REWRITE,
    GreedyClaim,
    SampledClaim,
    _cases,
    _greedy,
    _sampled,
    chosen,
    found,
    speculative_verify,
)

sizes = st.tuples(st.integers(1, 5), st.integers(0, 4), st.integers(2, 9))


def same(one, other) -> bool:
    return all(
        torch.equal(a, b) for a, b in zip(vars(one).values(), vars(other).values(), strict=True)
    )


@settings(deadline=None)
@given(sizes, st.integers(0, 99), st.booleans(), st.sampled_from(["float32", "bfloat16"]))
def test_any_branches_give_the_tokens_of_the_found_loop(size, seed, ties, dtype):
    claim = _cases.greedy_claim(*size, agree=0.7, seed=seed, ties=ties)
    claim = GreedyClaim(claim.logits.to(getattr(torch, dtype)), claim.drafts)
    assert same(speculative_verify(claim), found(claim))
    assert same(_greedy.on_host(claim), found(claim))


@settings(deadline=None)
@given(sizes, st.integers(0, 99), st.sampled_from([0.0, 0.5, 4.0]), st.sampled_from([0.0, 0.3]))
def test_any_chains_give_the_tokens_of_the_found_loop(size, seed, distance, ended):
    claim = _cases.sampled_claim(*size, distance=distance, seed=seed, ended=ended)
    assert same(speculative_verify(claim), found(claim))


def test_tokens_without_counterpart_are_refused():
    logits = torch.zeros(1, 3, 4)
    logits[..., 2] = 1
    verdict = speculative_verify(GreedyClaim(logits, torch.tensor([[2, -1]])))
    assert verdict.tokens.tolist() == [2, 2, -1]
    assert int(verdict.accepted) == 1


def test_several_sequences_are_verified_at_once():
    claims = [_cases.greedy_claim(3, 4, 10, 0.7, seed) for seed in range(4)]
    together = GreedyClaim(
        torch.stack([c.logits for c in claims]), torch.stack([c.drafts for c in claims])
    )
    assert same(speculative_verify(together), found(together))
    for row, claim in enumerate(claims):
        assert speculative_verify(together).tokens[row].tolist() == found(claim).tokens.tolist()


def test_the_batch_asks_nothing_where_the_loop_asks_for_every_token():
    for case in ("greedy V=256", "sampled V=256"):
        inputs = REWRITE.case(case).make(0)
        assert count(REWRITE.reference, inputs).syncs > 200
        assert count(REWRITE.form("batched"), inputs).syncs == 0


def test_the_form_for_a_cpu_is_chosen_there_for_greedy_claims_only():
    assert chosen(_cases.greedy_claim(1, 1, 4, 1.0, 0)) == "on a CPU"
    assert chosen(_cases.sampled_claim(1, 1, 4, 0.5, 0)) == "batched"


def test_saved_tensors_become_claims_by_their_number():
    greedy, sampled = _cases.greedy_claim(2, 2, 4, 1.0, 0), _cases.sampled_claim(2, 2, 4, 0.5, 0)
    for claim in (greedy, sampled):
        (adopted,) = REWRITE.adopt(*vars(claim).values())
        assert type(adopted) is type(claim)
        assert same(adopted, claim)


def test_an_inverse_cdf_never_gives_a_word_of_weight_zero():
    almost_one = torch.tensor([1 - 2**-24] * 3)
    weights = torch.tensor([[0.1, 0.2, 0.0], [0.7, 0.0, 0.0], [0.3, 3.3, 0.0]])
    assert _sampled.inverse_cdf(weights, almost_one).tolist() == [1, 0, 1]
    weights = torch.tensor([[0.0, 0.2, 0.1]])
    assert _sampled.inverse_cdf(weights, torch.zeros(1)).tolist() == [1]


# --- distributions: fixed seed, 200,000 chains, so one standard error of a share is below 0.0011

CHAINS = 200_000
VOCAB = 6


def models(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """p [3, V] of the main and q [2, V] of the draft model, rather different."""
    generator = torch.Generator().manual_seed(seed)
    main = 1.5 * torch.randn(3, VOCAB, generator=generator)
    draft = main[:2] + torch.randn(2, VOCAB, generator=generator)
    return main.softmax(-1), draft.softmax(-1)


def drawn(generator: torch.Generator) -> SampledClaim:
    """Chains whose places are independent: the words of each place have one distribution."""
    p, q = models()
    q = q.expand(CHAINS, -1, -1)
    drafts = _sampled.inverse_cdf(q, torch.rand(CHAINS, 2, generator=generator))
    uniforms = torch.rand(CHAINS, 3, generator=generator)
    return SampledClaim(p.expand(CHAINS, -1, -1), q, drafts, uniforms)


def shares(tokens: torch.Tensor) -> torch.Tensor:
    """Share of each word among those there are."""
    tokens = tokens[tokens >= 0]
    return torch.bincount(tokens, minlength=VOCAB) / tokens.numel()


def chi_square(tokens: torch.Tensor, p: torch.Tensor) -> float:
    n = int((tokens >= 0).sum())
    return float(n * ((shares(tokens) - p) ** 2 / p).sum())


# 0.9999 quantile of chi-square with VOCAB - 1 = 5 degrees of freedom
LIMIT = 25.75


def test_words_are_distributed_as_the_main_models_at_every_place():
    p, _ = models()
    verdict = speculative_verify(drawn(torch.Generator().manual_seed(1)))
    assert 0.2 < float((verdict.accepted == 2).float().mean()) < 0.8  # all ways are taken
    for place in range(3):
        assert chi_square(verdict.tokens[:, place], p[place]) < LIMIT


def test_resampling_from_p_is_told_from_it():
    p, _ = models()
    verdict = _cases.resampled_from_p(drawn(torch.Generator().manual_seed(1)))
    assert chi_square(verdict.tokens[:, 0], p[0]) > 10 * LIMIT


def test_choosing_the_longest_of_several_sampled_chains_is_biased():
    p, _ = models()
    verdicts = [speculative_verify(drawn(torch.Generator().manual_seed(s))) for s in range(4)]
    accepted = torch.stack([v.accepted for v in verdicts])
    tokens = torch.stack([v.tokens[:, 0] for v in verdicts])
    longest = tokens.gather(0, accepted.argmax(0, keepdim=True)).squeeze(0)
    assert float((shares(longest) - p[0]).abs().max()) > 0.05
    assert float((shares(tokens[0]) - p[0]).abs().max()) < 0.005


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("case", ["greedy V=256", "sampled V=256"])
def test_on_cuda_it_is_captured_in_a_graph_and_replayed_on_new_claims(case):
    first, second = (_on_cuda(REWRITE.case(case).make(seed)[0]) for seed in (0, 1))
    speculative_verify(first)  # torch's own first-call work
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = speculative_verify(first)
    for name, value in vars(second).items():
        getattr(first, name).copy_(value)
    graph.replay()
    assert same(captured, speculative_verify(second))


def _on_cuda(claim):
    return type(claim)(*(value.cuda() for value in vars(claim).values()))

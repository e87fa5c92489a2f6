"""Which drafted tokens the main model accepts, and its own next one, decided on the device.

What it replaces
    Loops over branches and places with `.item()` in the comparison, `break` at the first refusal:
    some 500 waits for 32 branches of 16 tokens, 200 to 300 for 16 sampled chains.

Why it is faster
    All comparisons are one; the accepted prefix is a cumulative product, the longest branch an
    argmax, a token drawn from the residual an inverse CDF. Nine launches for greedy and 28 for
    sampled verification, no wait, static shapes: it can be captured in a CUDA graph together
    with the forward before it.

When it wins, and when not
    On a device, batched always. On a CPU the greedy loop stops at the first refusal, and torch's
    argmax, which is not vectorised there, looks at every row of the batch: with thousands of words
    that costs more than the loop does. The form `on a CPU` takes numpy's argmax, which is
    vectorised. `chosen` picks it for greedy claims on a CPU; a sampled claim is batched everywhere.

Exact or approximate
    Exact: the same integers, given the same uniform numbers. Greedy verification gives what plain
    greedy decoding gives; sampled verification gives tokens distributed as the main model's.

Hazards
    p is a softmax: exp(logit) without the normaliser accepts by the ratio of two unknown sums. After
    a refusal the token comes from max(p - q, 0); from p itself it is biased. Choosing the longest of
    several *sampled* branches is biased too, by 0.1 and more: sample one chain, or use a scheme
    made for several. q must be what the tokens were drawn from, with temperature applied and
    without the words that the main vocabulary does not have (their logits at -inf before the
    softmax): a chain cut short because of *what* was drawn is biased. Equal logits: the first wins
    in an argmax on a CPU; CUDA promises no order.

Your own inputs
    Greedy: (`logits` [k, L + 1, V], `drafts` int64 [k, L]). Sampled: (`p` [B, L + 1, V], `q`
    [B, L, V], `drafts` int64 [B, L], `uniforms` [B, L + 1]). In this order or by these names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

from torch import Tensor

from perfkit.base.errors import PerfkitError
from perfkit.rewrites._own import rebuilt
from perfkit.rewrites._rewrite import Form, Goal, Inputs, Rewrite
from perfkit.rewrites.speculative_verify import _cases, _greedy, _sampled
from perfkit.rewrites.speculative_verify._claims import (
    GreedyClaim,
    GreedyVerdict,
    SampledClaim,
    SampledVerdict,
)

__all__ = [
    "GreedyClaim",
    "GreedyVerdict",
    "SampledClaim",
    "SampledVerdict",
    "inverse_cdf",
    "speculative_verify",
    "REWRITE",
]

Claim = GreedyClaim | SampledClaim
Verdict = GreedyVerdict | SampledVerdict


inverse_cdf = _sampled.inverse_cdf


@overload
def speculative_verify(claim: GreedyClaim) -> GreedyVerdict: ...
@overload
def speculative_verify(claim: SampledClaim) -> SampledVerdict: ...
def speculative_verify(claim: Claim) -> Verdict:
    """Accepted tokens and the main model's next one, without a wait and with static shapes.

    Args:
        claim: `GreedyClaim` (branches for one sequence or several) or `SampledClaim` (one chain per
            sequence); shapes and types stand there.

    Returns:
        `GreedyVerdict` or `SampledVerdict`, on the device of the claim.
    """
    if isinstance(claim, GreedyClaim):
        return _greedy.batched(claim)
    return _sampled.batched(claim)


def found(claim: Claim) -> Verdict:
    """The loops as met in programs."""
    if isinstance(claim, GreedyClaim):
        return _greedy.looped(claim)
    return _sampled.looped(claim)


def on_a_cpu(claim: Claim) -> Verdict:
    """What is fast where torch's argmax is not."""
    if isinstance(claim, GreedyClaim):
        return _greedy.on_host(claim)
    return _sampled.batched(claim)


def chosen(claim: Claim) -> str:
    """`on a CPU` for greedy claims there, `batched` everywhere else."""
    greedy = isinstance(claim, GreedyClaim)
    return "on a CPU" if greedy and claim.drafts.device.type == "cpu" else "batched"


def _only_on_a_cpu(claim: Claim) -> str | None:
    return None if claim.drafts.device.type == "cpu" else "it reads, and waits on a device"


def _adopted(*parts: Any, **named: Any) -> Inputs:
    """A claim from its fields, by name or in order: two of a greedy one, four of a sampled one."""
    if len(parts) == 1 and not named and isinstance(parts[0], (tuple, list, Mapping)):
        given: Any = parts[0]
    else:
        given = named or parts
    kind: type[Claim] = GreedyClaim if len(given) == 2 else SampledClaim
    claim = rebuilt(kind, given)
    for name, part in vars(claim).items():
        if not isinstance(part, Tensor):
            raise PerfkitError(f"{name} is no tensor but {part!r}", f"save {_SAVED_AS}")
    return (claim,)


_SAVED_AS = "(logits, drafts), or (p, q, drafts, uniforms), in this order or as a dictionary"


REWRITE = Rewrite(
    title="Verify drafted tokens on the device, all at once",
    found=(Form("found", found, "never on a device: it waits for every token"),),
    forms=(
        Form("batched", speculative_verify, "on a device, always"),
        Form("on a CPU", on_a_cpu, "on a CPU; never on a device", unavailable=_only_on_a_cpu),
    ),
    choose=chosen,
    traps=(
        Form("unnormalised", _cases.unnormalised, "never: exp(logit) is no probability"),
        Form("resampled from p", _cases.resampled_from_p, "never: biased towards the draft"),
        Form("counted", _cases.counted, "never: tokens behind a refusal are not accepted"),
        Form("last of equals", _cases.last_of_equals, "never: another branch, other tokens"),
    ),
    cases=(
        _cases.greedy("greedy V=256", 32, 16, 256),
        _cases.greedy("greedy V=8000", 32, 16, 8000),
        _cases.sampled("sampled V=256", 16, 16, 256),
        _cases.sampled("sampled V=8000", 16, 16, 8000),
        _cases.greedy("greedy, all accepted", 3, 4, 20, agree=1.0),
        _cases.greedy("greedy, none accepted", 3, 4, 20, agree=0.0),
        _cases.greedy("greedy, equal branches", 6, 3, 12, agree=0.6),
        _cases.greedy("greedy, equal logits", 6, 3, 12, agree=0.8, ties=True),
        _cases.greedy("greedy, nothing drafted", 2, 0, 12),
        _cases.greedy("greedy, one branch", 1, 5, 12),
        _cases.sampled("sampled, draft equals main", 5, 4, 20, distance=0.0),
        _cases.sampled("sampled, draft far off", 16, 4, 20, distance=4.0),
        _cases.sampled("sampled, chains ended early", 8, 4, 20, ended=0.3),
        _cases.sampled("sampled, nothing drafted", 3, 0, 20),
    ),
    goals=(
        Goal("greedy V=256", ratio=3.0),
        Goal("greedy V=256", form="batched", ratio=3.0, syncs=0, copies=0, device_ops=10),
        Goal("greedy V=8000", ratio=0.95),
        Goal("sampled V=256", ratio=8.0),
        Goal("sampled V=256", form="batched", syncs=0, copies=0, device_ops=28),
        Goal("sampled V=8000", ratio=0.95),
    ),
    adopt=_adopted,
    saved_as=_SAVED_AS,
)

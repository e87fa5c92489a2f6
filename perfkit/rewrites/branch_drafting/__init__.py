"""Several drafts from one prefix, which is computed once and shared by all of them.

What it replaces
    One call of the draft model's generation per branch: the prompt is run again for each, tokens are
    fetched one by one to be appended, and each branch has a key-value cache with a copy of the
    prefix in it.

Why it is faster
    The prefix's keys and values do not depend on the branch: one prefill instead of k. Then all
    branches take each step together, in one batch, and their queries meet the prefix in one matrix
    product, without a copy. Tokens stay on the device: no wait.

When it wins, and when not
    With two branches or more, the longer the prefix the more. With one branch only the waits go.
    Where the draft's cache is kept between steps the prefill goes altogether: then call
    `extend_branches` with the cache at hand. What remains is the draft model itself, L small steps in
    a row: launch-bound on a device; a CUDA graph of the step is the next thing to try.

Exact or approximate
    Exact: the same tokens, logits equal but for rounding (another order of sums in attention).
    Taking another model's keys and values through `layer_map` is not: judge it by acceptance.

Hazards
    Positions go on behind the prefix. A branch must not see the others' tokens: their keys lie
    beside it, not before it. The first tokens are the k likeliest, each once; drawing them instead
    makes branches that cannot be verified by sampling without bias. A map that takes every second
    layer leaves out the top of the source.

Your own inputs
    A drafter is code, so they come from Python: mine.py with a function `inputs()` that returns
    (drafter, prompt int64 [P, T], branches, length), for `--inputs mine.py`. The drafter has the two
    methods of `Drafter`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from perfkit.rewrites._rewrite import Case, Form, Goal, Inputs, Rewrite
from perfkit.rewrites.branch_drafting._attention import shared_prefix_attention
from perfkit.rewrites.branch_drafting._decoder import Decoder, drawn_decoder
from perfkit.rewrites.branch_drafting._layer_map import layer_map

__all__ = [
    "Drafter",
    "Drafts",
    "branch_drafting",
    "extend_branches",
    "layer_map",
    "shared_prefix_attention",
    "REWRITE",
]


class Drafter(Protocol):
    """A model with a prefix apart from what branches add to it.

    What `prefix` and `own` are is the model's affair: keys and values by layer, usually, joined by
    `shared_prefix_attention`.
    """

    def prefill(self, tokens: Tensor) -> tuple[Tensor, Any]:
        """Logits [P, V] after the tokens [P, T], and the prefix."""

    def extend(self, tokens: Tensor, prefix: Any, own: Any) -> tuple[Tensor, Any]:
        """Logits [P, k, t, V] of tokens [P, k, t] behind prefix and own; and own with them."""


@dataclass(frozen=True)
class Drafts:
    """Drafted `tokens` int64 [P, k, L] and the `logits` [P, k, L, V] that they were chosen by."""

    tokens: Tensor
    logits: Tensor


def branch_drafting(drafter: Drafter, prompt: Tensor, branches: int, length: int) -> Drafts:
    """Draft k branches: the k likeliest first tokens, each continued greedily.

    Args:
        prompt: int64 [P, T], one token each at least.
        branches: k, no more than there are words.
        length: L, 1 at least.
    """
    logits, prefix = drafter.prefill(prompt)
    return extend_branches(drafter, logits, prefix, branches, length)


def extend_branches(
    drafter: Drafter, logits: Tensor, prefix: Any, branches: int, length: int
) -> Drafts:
    """The same behind a prefix that is there already; `logits` [P, V] are those after it."""
    token = logits.topk(branches, -1).indices.unsqueeze(-1)
    tokens, scores, own = [token], [logits.unsqueeze(1).expand(-1, branches, -1)], None
    for _ in range(length - 1):
        further, own = drafter.extend(token, prefix, own)
        token = further[:, :, -1].argmax(-1, keepdim=True)
        tokens.append(token)
        scores.append(further[:, :, -1])
    return Drafts(torch.cat(tokens, -1), torch.stack(scores, -2))


def found(decoder: Decoder, prompt: Tensor, branches: int, length: int) -> Drafts:
    """As met in programs: branch by branch from the start, tokens fetched one by one."""
    tokens, logits = [], []
    for row in range(prompt.shape[0]):
        for branch in range(branches):
            scores, prefix = decoder.prefill(prompt[row : row + 1])
            chosen, own = [int(scores[0].topk(branches).indices[branch])], None
            seen = [scores[0]]
            while len(chosen) < length:
                last = torch.tensor([[[chosen[-1]]]], device=prompt.device)
                further, own = decoder.extend(last, prefix, own)
                seen.append(further[0, 0, -1])
                chosen.append(int(seen[-1].argmax()))
            tokens.append(chosen)
            logits.append(torch.stack(seen))
    shape = (prompt.shape[0], branches, length)
    return Drafts(
        torch.tensor(tokens, device=prompt.device).view(shape), torch.stack(logits).view(*shape, -1)
    )


def _positions_from_zero(decoder: Decoder, prompt: Tensor, branches: int, length: int) -> Drafts:
    logits, prefix = decoder.prefill(prompt)
    shifted = decoder.positions.roll(prompt.shape[-1], 0)
    return extend_branches(replace(decoder, positions=shifted), logits, prefix, branches, length)


@dataclass(frozen=True)
class _OneRow:
    """The branches laid one behind the other, as if they were one text."""

    decoder: Decoder

    def extend(self, tokens: Tensor, prefix: Any, own: Any) -> tuple[Tensor, Any]:
        p, k, t = tokens.shape
        logits, own = self.decoder.extend(tokens.reshape(p, 1, k * t), prefix, own)
        return logits.view(p, k, t, -1), own


def _branches_see_each_other(
    decoder: Decoder, prompt: Tensor, branches: int, length: int
) -> Drafts:
    logits, prefix = decoder.prefill(prompt)
    return extend_branches(_OneRow(decoder), logits, prefix, branches, length)  # type: ignore[arg-type]


def _case(
    name: str, prompt: int, branches: int, length: int, sequences: int = 1, width: int = 16
) -> Case:
    def make(seed: int) -> Inputs:
        longest = prompt + branches * length
        decoder = drawn_decoder(20 * width, width, 2, 2, longest, seed)
        generator = torch.Generator().manual_seed(seed)
        tokens = torch.randint(20 * width, (sequences, prompt), generator=generator)
        return decoder, tokens, branches, length

    shape = f"{sequences} of {prompt} tokens, k={branches}, L={length}, D={width}"
    return Case(name, make, shape, measured=width > 16)


REWRITE = Rewrite(
    title="Compute the prefix once for all drafted branches",
    found=(Form("found", found, "never: a prefill per branch, a wait per token"),),
    forms=(Form("shared prefix", branch_drafting, "always; the longer the prefix the more"),),
    traps=(
        Form("positions from zero", _positions_from_zero, "never: they go on behind the prefix"),
        Form("one row", _branches_see_each_other, "never: branches are no text of their own"),
    ),
    cases=(
        _case("8 branches behind 256 tokens", 256, 8, 8, width=64),
        _case("2 branches behind 32 tokens", 32, 2, 4, width=64),
        _case("one branch", 5, 1, 3),
        _case("one token each", 5, 3, 1),
        _case("a prompt of one token", 1, 3, 3),
        _case("several sequences", 6, 3, 4, sequences=3),
    ),
    goals=(
        Goal("8 branches behind 256 tokens", ratio=4.0, syncs=0, copies=0),
        Goal("2 branches behind 32 tokens", ratio=1.3, syncs=0, copies=0),
    ),
    not_from_a_file="a drafter is code, which no file of tensors can hold; write mine.py with "
    "`def inputs(): return drafter, prompt, branches, length` (a `Drafter`, int64 [P, T], k, L) and "
    "run `perfkit verify branch_drafting --inputs mine.py`",
)

"""The lens preference loss in one chain of operators, without asking the device anything.

What it replaces
    A loss over pairs of working contexts that reads every token loss with `float(...)`, builds a
    dictionary of positions entry by entry, writes targets into tensors one by one or on the host,
    selects with boolean masks, and fetches telemetry value by value: hundreds of host-device waits
    and thousands of launches per step. Three generations are kept: `slow_elem`, `slow_dict`, and
    `pair_vec`, which is what a first fix gives.

Why it is faster
    Pairs are chosen on the device by two stable sorts, whose sizes the host knows. Targets of all
    pairs are one dense block [pairs, entries]: levels are looked up in a map written by scatter,
    siblings found through flags per parent block. Sums per pair come from histograms made with
    `scatter_add`. 180 to 200 operators, telemetry and backward included, take the place of thousands,
    and none of them waits. Telemetry is one vector that stays on the device.

When it wins, and when not
    Always against the found code. Between the forms: `analytic` in general; `batched` where
    gradients of gradients are wanted; `triton` on CUDA; `compiled` on CUDA for shapes that stay the
    same, since it compiles once per shape (on the CPU measured, scatter loops made it no faster);
    `cached targets` and `two stages` where contexts repeat. On a CPU most of the time goes into
    entries that have no target, which a dense block cannot skip. A loss that is all ties has a
    gradient of zeros here and none in the found code; an optimizer with weight decay or momentum
    then still moves. `perfkit verify` counts `cached targets` as they are made, and times them made.

Exact or approximate
    Exact, in value and gradient; sums are taken in float32 at least, so that bfloat16 scores lose
    less than in the found code. Marked approximate and gated by a measure: sampled pairs, the loss
    in every n-th step, switched-off terms, and the quadratic proxy. `two stages` is exact for what
    was stored, not for a base model that has since moved on.

Hazards
    `bincount(weights=)` has no derivative; counters in bfloat16 stop at 256; packing kind and
    difference of a pair into one float32 sorts close pairs wrongly; a binary search instead of the
    map answers wrongly for unsorted positions. A public repository fixed the time of this loss by
    returning zero, which a timer cannot tell: hence the proof of gradients. `index_add` and
    `scatter_add` add in no fixed order on CUDA, so that last digits differ from run to run. A token
    loss that is not a number makes the loss not a number, as in the found code.

Your own inputs
    `scores`, `positions`, `lods` [N, W], `token_losses` [N], `sample_of_context` (N whole numbers) and
    `tokens` as the function takes them; `pack` makes them from lists, and its `.arguments` is the tuple.
    Optional dictionaries: `geometry` (block, top), `config` (fields of `LossConfig`; shape is
    "softplus" or "hinge"), `memory` (fields of `Memory`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from perfkit.rewrites._own import rebuilt
from perfkit.rewrites._rewrite import Goal, Inputs, Rewrite

from .analytic import analytic
from .batched import Preference
from .cases import CASES
from .config import Lods, LossConfig, Shape
from .forms import APPROXIMATE, EXACT, FOUND, TRAPS, choose
from .packed import Memory, pack
from .triton_kernel import triton_loss

__all__ = [
    "pairwise_preference_loss",
    "pack",
    "Lods",
    "LossConfig",
    "Memory",
    "Preference",
    "REWRITE",
]

_CHOSEN: dict[str, Callable[..., Preference]] = {"analytic": analytic, "triton": triton_loss}


def pairwise_preference_loss(
    scores: Tensor,
    positions: Tensor,
    lods: Tensor,
    token_losses: Tensor,
    sample_of_context: tuple[int, ...],
    tokens: int,
    geometry: Lods,
    config: LossConfig,
    memory: Memory | None = None,
) -> Preference:
    """Ask the scores of worse contexts to lean towards what better ones show.

    For every sample the contexts are compared in pairs. Where the better context of a pair shows a
    position in more detail than the worse, the worse one's entry should expand (score above 0);
    where it shows less, all entries of that block should collapse. The penalty grows with the
    difference in loss. `pack` makes the arguments from lists.

    Args:
        scores: between -1 and 1, float [N, W], for N contexts of at most W entries; the gradient
            goes here and nowhere else.
        positions: first token of each entry, int64 [N, W], unique within a context, below `tokens`.
        lods: level of each entry, 0 to `geometry.top`, integers [N, W]; -1 is padding.
        token_losses: mean loss of the base model on each context, float [N].
        sample_of_context: which sample a context belongs to [N], on the host; those of one sample
            follow each other.
        tokens: one past the last position.
        memory: `Preference.memory` of the step before, for the terms that compare with it.

    Returns:
        The loss in float32, or float64 for float64 scores, with telemetry and memory, all on the
        device. Without any pair to compare, a loss of 0 that has no gradient.

    Raises:
        ValueError: the contexts of a sample do not follow each other.
        RuntimeError: a position is not below `tokens` (on CUDA a device-side assertion).
    """
    form = _CHOSEN[choose(scores)]
    return form(
        scores, positions, lods, token_losses, sample_of_context, tokens, geometry, config, memory
    )


def adopt(
    scores: Tensor,
    positions: Tensor,
    lods: Tensor,
    token_losses: Tensor,
    sample_of_context: Tensor | Sequence[int],
    tokens: int,
    geometry: Mapping[str, int] | Lods | None = None,
    config: Mapping[str, Any] | LossConfig | None = None,
    memory: Mapping[str, Any] | Memory | None = None,
) -> Inputs:
    """Inputs as a file holds them, as every form takes them."""
    samples = torch.as_tensor(sample_of_context).tolist()
    own = rebuilt(LossConfig, config or {})
    own = replace(own, shape=Shape(own.shape))
    before = () if memory is None else (rebuilt(Memory, memory),)
    levels = rebuilt(Lods, geometry or {})
    return (scores, positions, lods, token_losses, tuple(samples), tokens, levels, own, *before)


REWRITE = Rewrite(
    title="Compare all contexts at once, on the device",
    found=FOUND,
    forms=(*EXACT, *APPROXIMATE),
    traps=TRAPS,
    cases=CASES,
    choose=choose,
    adopt=adopt,
    goals=(
        Goal("reported scale", "", "slow_elem", 150, True, 190, 0),
        Goal("reported scale", "", "slow_dict", 15, True, 190, 0),
        Goal("reported scale", "batched", "slow_dict", 15, True, 190, 0),
        Goal("deep levels", "", "slow_dict", 10, True, 210, 0),
    ),
)

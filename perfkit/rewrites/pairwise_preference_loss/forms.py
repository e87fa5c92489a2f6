"""The forms as the proofs and the benchmark call them: packed arguments, (loss, telemetry) back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from perfkit.rewrites._parity import evaluate
from perfkit.rewrites._rewrite import Form, Inputs, Quality
from perfkit.rewrites._tree import fresh

from .analytic import analytic, of_targets
from .batched import Preference, accumulating, batched, nothing
from .cached import TargetCache
from .compiled import compiled
from .compiled import why_not as why_not_compiled
from .config import Lods, LossConfig
from .gated import gated_window
from .history import LensLoss, ScoreHistory
from .layout import layout
from .packed import Memory, unpack
from .pair_vec import pair_vec
from .proxy import agreement, proxy
from .sampled import Sampling, sampled
from .side_stream import side_stream
from .side_stream import why_not as why_not_side_stream
from .slow_dict import slow_dict
from .slow_elem import slow_elem
from .telemetry import NAMES
from .traps import binary_search, narrow_counters, packed_keys, without_derivative, zero_shortcut
from .triton_kernel import triton_loss
from .triton_kernel import why_not as why_not_triton
from .two_stage import two_stage

Outcome = tuple[Tensor, Tensor]
Run = Callable[..., Outcome]


def over_lists(loss: LensLoss) -> Run:
    """A found loss, on packed arguments taken apart; telemetry as the packed forms give it."""

    def run(
        scores: Tensor,
        positions: Tensor,
        lods: Tensor,
        token_losses: Tensor,
        sample_of_context: tuple[int, ...],
        tokens: int,
        geometry: Lods,
        config: LossConfig,
        memory: Memory | None = None,
    ) -> Outcome:
        samples, rows = unpack(scores, positions, lods, token_losses, sample_of_context, tokens)
        history = _history(memory, samples)
        found = loss(samples, rows, geometry, config, history)
        values = [found.telemetry.get(name, 0.0) for name in NAMES]
        pairs = float(found.pairs) if config.telemetry else 0.0
        return found.loss, torch.tensor([pairs, *values], dtype=torch.float64)

    return run


def packed(form: Callable[..., Preference]) -> Run:
    """A fast form as proofs take it."""

    def run(*arguments: Any) -> Outcome:
        given = form(*arguments)
        return given.loss, given.telemetry if given.telemetry is not None else torch.zeros(5)

    return run


def _history(memory: Memory | None, samples: Any) -> ScoreHistory:
    history = ScoreHistory()
    if memory is None:
        return history
    history.budget = memory.budget
    keys = [(i, j) for i, sample in enumerate(samples) for j in range(len(sample))]
    widths = [context.lods.shape[1] for sample in samples for context in sample]
    kept = memory.kept.tolist()
    for key, width, row, known in zip(keys, widths, memory.scores, kept, strict=True):
        if known:
            history.previous[key] = row[:width].double().cpu()
    return history


_caches: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def cached(
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
    """With targets kept for as long as the very same `positions` come again."""
    if layout(sample_of_context, config, scores.device).pairs == 0:
        return nothing(scores, config)
    cache = _caches.setdefault(positions, TargetCache())
    targets = cache.targets(
        sorted(set(sample_of_context)),
        positions,
        lods,
        token_losses,
        sample_of_context,
        tokens,
        geometry,
        config,
        accumulating(scores),
    )
    return of_targets(scores, targets, geometry, config, memory)


sampled_top: Callable[..., Preference] = partial(sampled, keep=1, how=Sampling.TOP)
sampled_random: Callable[..., Preference] = partial(sampled, keep=1, how=Sampling.RANDOM)


def without_auxiliaries(*arguments: Any) -> Preference:
    """The preference term alone."""
    config = replace(arguments[7], rank_weight=0.0, budget_weight=0.0)
    changed = (*arguments[:7], config, *arguments[8:])
    return analytic(*changed)


def _turned_from(
    run: Run, limit: float, against: Callable[..., Preference] = analytic
) -> Callable[[Inputs, Any, Any], Quality]:
    """How far a form's gradient points elsewhere: 1 - cosine."""

    def quality(inputs: Inputs, found: Any, own: Any) -> Quality:
        right = evaluate(Form("", packed(against), ""), fresh(inputs)).gradients[0]
        given = evaluate(Form("", run, ""), fresh(inputs)).gradients[0]
        assert right is not None
        cosine = agreement(torch.zeros_like(right) if given is None else given, right)
        return Quality("1 - cosine of the gradients", 1 - cosine, limit)

    return quality


def _loss_off(limit: float) -> Callable[[Inputs, Any, Any], Quality]:
    def quality(inputs: Inputs, found: Any, own: Any) -> Quality:
        right, given = float(found[0].detach()), float(own[0].detach())
        return Quality("relative difference of the loss", abs(given - right) / right, limit)

    return quality


FOUND = (
    Form("slow_dict", over_lists(slow_dict), "never: hundreds of waits per step"),
    Form("slow_elem", over_lists(slow_elem), "never: a launch per entry"),
    Form("pair_vec", over_lists(pair_vec), "as a first step: no Python loop over entries is left"),
)

EXACT = (
    Form("analytic", packed(analytic), "in general: no graph, the shortest backward"),
    Form("batched", packed(batched), "where something else differentiates the gradient again"),
    Form(
        "compiled",
        packed(compiled),
        "on CUDA, for shapes that stay the same over hundreds of steps; no gain on the CPU measured",
        unavailable=why_not_compiled,
        compiles=True,
    ),
    Form(
        "triton",
        packed(triton_loss),
        "on CUDA: two kernels, which always accumulate in float32",
        unavailable=why_not_triton,
        tolerance={torch.float64: 1e-5},
    ),
    Form("cached targets", packed(cached), "where contexts repeat across micro-steps or epochs"),
    Form("two stages", packed(two_stage), "where contexts are made long before the lens trains"),
    Form(
        "side stream",
        packed(side_stream),
        "where the step has other device work that need not wait for the loss",
        unavailable=why_not_side_stream,
    ),
)

APPROXIMATE = (
    Form(
        "pairs with the best",
        packed(sampled_top),
        "many variants per sample: pairs grow with their number, not its square",
        exact=False,
        approximates="only pairs with the best context of a sample count",
        quality=_turned_from(packed(sampled_top), 0.3),
    ),
    Form(
        "random pairs",
        packed(sampled_random),
        "as above, with every pair seen in the long run",
        exact=False,
        approximates="each context is compared with one better one, drawn at random in each step",
        quality=_turned_from(packed(sampled_random), 0.6),
    ),
    Form(
        "every second step",
        packed(gated_window),
        "where the lens learns faster than it needs to; shown with samples for steps",
        exact=False,
        approximates="only every second step contributes, twice as strongly",
        quality=_loss_off(0.25),
    ),
    Form(
        "preference only",
        packed(without_auxiliaries),
        "where rank and budget terms have been found to change nothing",
        exact=False,
        approximates="rank and budget terms are switched off",
        quality=_turned_from(packed(without_auxiliaries), 0.5),
    ),
    Form(
        "proxy",
        packed(proxy),
        "contexts that repeat, or very many pairs: a handful of operators per step",
        exact=False,
        approximates="softplus to second order around 0; rank and budget terms left out",
        quality=_turned_from(packed(proxy), 0.02, without_auxiliaries),
    ),
)

TRAPS = (
    Form("zero_shortcut", packed(zero_shortcut), "never: the objective is gone"),
    Form("without derivative", packed(without_derivative), "never: two terms stop teaching"),
    Form("packed keys", packed(packed_keys), "never: close pairs change places"),
    Form("narrow counters", packed(narrow_counters), "never: means over more than 256 are wrong"),
    Form("binary search", packed(binary_search), "never: needs sorted entries and does not check"),
)


def choose(scores: Tensor, *others: Any) -> str:
    """Triton on CUDA where it runs, else the analytic form.

    At the reported scale both eager forms take about the same CPU time; the analytic one has the
    shorter backward. That the kernel wins on CUDA is an estimate from launches: not measured.
    """
    on_cuda = scores.device.type == "cuda" and scores.dtype != torch.float64
    return "triton" if on_cuda and why_not_triton(scores) is None else "analytic"

"""The rewritten generation: the plain tokens when greedy, the plain distribution when sampled."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from perfkit.workloads.lookahead.fast import fast_greedy, fast_sampled
from perfkit.workloads.lookahead.generation import plain
from perfkit.workloads.lookahead.pieces import Batch, prompts

from .inputs import SMALL, models_of, next_probabilities


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"adaptive": False},
        {"branches": 1, "start": 1, "longest": 1},
        {"branches": 4, "longest": 9, "seed": 8},
        {"pairs": 60, "rare": 6},
        {"batch": 1, "new_tokens": 1},
        {"depth_scale": 1.0, "seed": 2},
    ],
    ids=str,
)
def test_greedy_tokens_are_those_of_plain_decoding(change):
    config = replace(SMALL, **change)
    models = models_of(config)
    for batch in prompts(config, models.language):
        right, made = plain(models, batch, config), fast_greedy(models, batch, config)
        assert made.tokens.tolist() == right.tokens.tolist()
        assert made.drafted >= int(made.accepted.sum())


@torch.no_grad()
def test_sampled_tokens_are_distributed_as_the_main_models_two_in_a_row():
    config = replace(
        SMALL, syllables=6, pairs=3, rare=1, prompt=5, new_tokens=2, mode="sampled", gain=2.0
    )
    config = replace(config, batch=20_000, start=2, longest=2, adaptive=False, depth_scale=0.5)
    models = models_of(config)
    (one,) = prompts(replace(config, batch=1), models.language)
    batch = Batch(*(part.expand(config.batch, *part.shape[1:]) for part in vars(one).values()))
    torch.manual_seed(1)
    made = fast_sampled(models, batch, config)
    first = next_probabilities(models, one.main)[0]
    words = torch.arange(6)
    longer = torch.cat([one.main.expand(6, -1), words.unsqueeze(1)], 1)
    right = (first.unsqueeze(1) * next_probabilities(models, longer)).flatten()
    seen = torch.bincount(made.tokens[:, 0] * 6 + made.tokens[:, 1], minlength=36)
    often = right * config.batch >= 5
    chi_square = ((seen - right * config.batch) ** 2 / (right * config.batch))[often].sum()
    assert int(often.sum()) > 15
    assert float(chi_square) < 79.0  # 0.9999 quantile at 36 degrees of freedom
    rate = float(made.accepted.sum()) / made.drafted
    assert 0.3 < rate < 0.95  # refusals and acceptances both took part


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("mode", ["greedy", "sampled"])
def test_on_cuda_the_loop_runs_with_synchronisations_forbidden(mode):
    config, device = replace(SMALL, mode=mode), torch.device("cuda")
    models = models_of(config)
    models = replace(
        models,
        main=models.main.to(device),
        draft=models.draft.to(device),
        table=models.table.to(device),
    )
    (batch,) = (batch.to(device) for batch in prompts(config, models.language))
    right = plain(models, batch, config).tokens
    torch.cuda.set_sync_debug_mode("error")
    try:
        made = (fast_greedy if mode == "greedy" else fast_sampled)(models, batch, config)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert made.tokens.shape == right.shape
    if mode == "greedy":
        assert made.tokens.tolist() == right.tolist()

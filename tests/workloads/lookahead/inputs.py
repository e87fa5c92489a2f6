"""Small configurations for the tests of this workload."""

from __future__ import annotations

import torch

from perfkit.workloads.lookahead.config import Config
from perfkit.workloads.lookahead.model import make_models
from perfkit.workloads.lookahead.pieces import Models
from perfkit.workloads.lookahead.text import make_language

SMALL = Config(
    syllables=20,
    pairs=4,
    rare=1,
    prompt=8,
    new_tokens=12,
    batch=3,
    batches=1,
    width=16,
    heads=2,
    main_layers=3,
    branches=2,
    start=3,
    longest=5,
)


def models_of(config: Config) -> Models:
    """Both models of a configuration on the CPU."""
    language = make_language(config)
    main, draft = make_models(config, language)
    capacity = config.prompt + config.new_tokens + config.longest + 4
    return Models(main, draft, language, language.table, capacity)


def next_probabilities(models: Models, tokens: torch.Tensor) -> torch.Tensor:
    """The main model's distribution [P, V] after tokens [P, T], with no cache to go wrong."""
    rows = torch.full((tokens.shape[0],), tokens.shape[1] - 1)
    cache = models.main.prefill(tokens[:, :-1], rows, tokens.shape[1])
    logits, _ = models.main(tokens[:, -1:].unsqueeze(1), cache)
    return logits[:, 0, -1].softmax(-1)

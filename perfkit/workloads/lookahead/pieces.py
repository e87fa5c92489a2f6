"""What both ways of generating are given and give: models, prompts, tokens."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from .config import Config
from .model import Transformer
from .text import Language


@dataclass(frozen=True)
class Models:
    """Both models on one device; `table` is the language's, there; `capacity` of a cache."""

    main: Transformer
    draft: Transformer
    language: Language
    table: Tensor
    capacity: int


@dataclass
class Batch:
    """Prompts as both tokenizers write them, padded at the end: int64 [P, T], and lengths [P].

    The draft's end in the last two main tokens, each spelt as one: from there on both models count
    alike.
    """

    main: Tensor
    main_lengths: Tensor
    draft: Tensor
    draft_lengths: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on a device, not waited for."""
        return Batch(*(part.to(device, non_blocking=True) for part in vars(self).values()))

    def pin_memory(self) -> Batch:
        """The same in pinned memory; the DataLoader asks for it."""
        return Batch(*(part.pin_memory() for part in vars(self).values()))


@dataclass(frozen=True)
class Generated:
    """Tokens int64 [P, new_tokens], steps of the main model, tokens drafted and accepted [P]."""

    tokens: Tensor
    steps: int
    drafted: int
    accepted: Tensor


def prompts(config: Config, language: Language) -> list[Batch]:
    """Random texts of `config.prompt` syllables, in batches."""
    dice = random.Random(config.seed + 1)
    return [
        _batch(
            [
                "".join(dice.choices(language.main.pieces, k=config.prompt))
                for _ in range(config.batch)
            ],
            language,
        )
        for _ in range(config.batches)
    ]


def _batch(texts: list[str], language: Language) -> Batch:
    main = [language.main.encode(text) for text in texts]
    draft = [
        language.draft.encode(language.main.decode(ids[:-2]))
        + [language.spelling[id] for id in ids[-2:]]
        for ids in main
    ]
    return Batch(*_padded(main), *_padded(draft))


def _padded(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    longest = max(map(len, rows))
    padded = [row + [0] * (longest - len(row)) for row in rows]
    return torch.tensor(padded), torch.tensor([len(row) for row in rows])

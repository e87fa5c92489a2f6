"""Contexts as rows of one block, which is how the fast forms take them; and to and from lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from .contexts import Context, Sample

PADDING = -1


@dataclass(frozen=True)
class Packed:
    """N contexts of at most W entries; see `pairwise_preference_loss` for the fields."""

    scores: Tensor
    positions: Tensor
    lods: Tensor
    token_losses: Tensor
    sample_of_context: tuple[int, ...]
    tokens: int

    @property
    def arguments(self) -> tuple[Tensor, Tensor, Tensor, Tensor, tuple[int, ...], int]:
        """In the order in which every form takes them."""
        return (
            self.scores,
            self.positions,
            self.lods,
            self.token_losses,
            self.sample_of_context,
            self.tokens,
        )


@dataclass(frozen=True)
class Memory:
    """What a step leaves for the next, on the device.

    Attributes:
        scores: of this step [N, W], without gradient.
        worse: rows of the pairs' worse contexts, int64 [P].
        share: of the pairs in the mean [P], 0 for those that did not count.
        budget: tokens asked for and given up, averaged over the steps so far [2]; or None.
    """

    scores: Tensor
    worse: Tensor
    share: Tensor
    budget: Tensor | None = None

    @property
    def kept(self) -> Tensor:
        """Contexts that were the worse one of a pair that counted, bool [N]."""
        shares = self.share.new_zeros(len(self.scores))
        return shares.index_add(0, self.worse, self.share) > 0


def pack(samples: Sequence[Sample], scores: Sequence[Sequence[Tensor]]) -> Packed:
    """Rows from lists: contexts of a sample follow each other, shorter ones are padded at the end.

    Args:
        scores: [W] per context, arranged like the samples; the gradient reaches them.
    """
    contexts = [context for sample in samples for context in sample]
    return Packed(
        scores=_rows([score for row in scores for score in row], 0.0),
        positions=_rows([context.positions[0] for context in contexts], 0.0),
        lods=_rows([context.lods[0] for context in contexts], PADDING),
        token_losses=torch.stack([context.token_loss.detach() for context in contexts]),
        sample_of_context=tuple(i for i, sample in enumerate(samples) for _ in sample),
        tokens=max(context.end for context in contexts),
    )


def _rows(pieces: list[Tensor], padding: float) -> Tensor:
    if len({len(piece) for piece in pieces}) == 1:
        return torch.stack(pieces)
    return pad_sequence(pieces, batch_first=True, padding_value=padding)


def unpack(
    scores: Tensor,
    positions: Tensor,
    lods: Tensor,
    token_losses: Tensor,
    sample_of_context: tuple[int, ...],
    tokens: int,
) -> tuple[list[list[Context]], list[list[Tensor]]]:
    """Lists from rows, for the found code; padding must lie at the end of a row.

    Widths are read from the device in one go.
    """
    widths = (lods >= 0).sum(1).tolist()
    samples: list[list[Context]] = []
    rows: list[list[Tensor]] = []
    for index, width in enumerate(widths):
        if index == 0 or sample_of_context[index] != sample_of_context[index - 1]:
            samples.append([])
            rows.append([])
        where = slice(index, index + 1)
        samples[-1].append(
            Context(positions[where, :width], lods[where, :width], token_losses[index], tokens)
        )
        rows[-1].append(scores[index, :width])
    return samples, rows

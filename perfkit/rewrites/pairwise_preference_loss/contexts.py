"""Contexts as lists, which is how the found code takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass
class Context:
    """One working context: entries that tile a range of tokens, each with a level of detail.

    Attributes:
        positions: first token of each entry, int64 [1, W]; unique.
        lods: level of each entry, int64 [1, W].
        token_loss: mean loss of the base model that reads this context, 0-d, without gradient.
        end: one past the last token, known where the context was made; no device is asked.
    """

    positions: Tensor
    lods: Tensor
    token_loss: Tensor
    end: int


Sample = Sequence[Context]
"""Contexts over the same tokens, which are compared with each other."""

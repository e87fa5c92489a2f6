"""The loss on a CUDA stream of its own, while the main stream goes on with other work.

Exact: the same operators. Of use where the step has work between the scores and the sum of all
losses that does not need this one, such as a language-model loss; the launches of both still come
from one thread, so that the loss must be short of launches already.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .analytic import analytic
from .batched import Preference


@dataclass(frozen=True)
class Pending:
    """A loss under way."""

    preference: Preference
    stream: torch.cuda.Stream

    def result(self) -> Preference:
        """The loss, once the current stream may use it; the host does not wait."""
        current = torch.cuda.current_stream(self.preference.loss.device)
        current.wait_stream(self.stream)
        self.preference.loss.record_stream(current)
        if self.preference.telemetry is not None:
            self.preference.telemetry.record_stream(current)
        return self.preference


def begin(stream: torch.cuda.Stream, *arguments: Any) -> Pending:
    """Start the loss behind what the current stream has been given so far.

    Args:
        stream: one that the program keeps for this; a new one per step would leak memory pools.
        arguments: those of `pairwise_preference_loss`.
    """
    scores = arguments[0]
    stream.wait_stream(torch.cuda.current_stream(scores.device))
    with torch.cuda.stream(stream):
        for argument in arguments:
            if isinstance(argument, Tensor):
                argument.record_stream(stream)
        return Pending(analytic(*arguments), stream)


def side_stream(*arguments: Any) -> Preference:
    """`begin` and `result` in one: what a proof calls."""
    scores = arguments[0]
    return begin(torch.cuda.Stream(scores.device), *arguments).result()


def why_not(scores: Tensor, *others: Any) -> str | None:
    """Why there is no side stream for these inputs; None where there is."""
    return None if scores.device.type == "cuda" else "streams are a matter of CUDA"

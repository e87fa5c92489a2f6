"""The prediction loop, with the contest's timer as it was: around the model, without a wait.

On a GPU such a timer sees how long the work took to *launch*, plus whatever waits the model itself
contains; the rest of the time passes while results are fetched, outside the window. Both are
returned, so that the difference shows.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch

from .data import Batch
from .model import Ranker


@dataclass
class Predictions:
    """What was predicted for the test rows, and two clocks in seconds."""

    logids: list[int] = field(default_factory=list)
    labels: list[float] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    batches: int = 0
    rows: int = 0
    timer_s: float = 0.0
    total_s: float = 0.0


@torch.no_grad()
def predict(model: Ranker, loader: Iterable[Batch], device: torch.device) -> Predictions:
    """Run the model over all batches and collect the rows that are asked for."""
    result = Predictions()
    began = time.time()
    for batch in loader:
        batch = batch.to(device)
        started = time.time()
        probabilities = torch.sigmoid(model(batch))
        result.timer_s += time.time() - started
        result.probabilities += probabilities[batch.pred_mask].cpu().tolist()
        result.labels += batch.label[batch.pred_mask].cpu().tolist()
        result.logids += batch.logid[batch.pred_mask].cpu().tolist()
        result.batches += 1
        result.rows += probabilities.numel()
    result.total_s = time.time() - began
    return result

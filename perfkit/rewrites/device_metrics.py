"""Running metrics that stay on the device and are read once per log interval.

What it replaces
    `total += loss.item()`, `correct += (pred == y).sum().item()` and scores copied to the host in
    every step for an AUC at the end: each makes the host wait until the device has caught up.

Why it is faster
    Sums and counts are tensors on the device, added to without a wait. `read()` stacks them and copies
    one vector. The device never runs dry between steps.

When it wins, and when not
    On any device that works ahead of the host, at about ten small operators per step (twice that with
    the histogram). On a CPU nothing waits, and what is saved is the sorting in Python. `Auc.EXACT`
    keeps the scores on the device (score and label of each example until `reset`) and sorts at the
    read; `Auc.HISTOGRAM` needs 16 bytes per bin for any number of examples.

Exact or approximate
    Counts and accuracy are equal. The loss is summed in float64 (with compensation in float32 where
    the device has no float64), so it differs from a sum of Python floats by rounding only. AUC by
    sorted scores is equal, ties halved. AUC by histogram is approximate: scores within one bin of
    the logit count as ties.

Hazards
    Summing in the loss's own dtype stalls: a bfloat16 counter sticks at 256, a float32 one at 16.7
    million. Reading in every step brings the wait back, also in disguise: `print`, `if loss > x`, a
    progress bar. Keeping `loss` itself instead of its value keeps the graph of every step alive:
    `update` detaches. A mean over ranks needs the sums added, not the means: see `merged`.

Your own inputs
    `losses`: floating point [steps]. `logits`: floating point [steps, n]. `labels`: 0 and 1,
    [steps, n].
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from torch import Tensor

from perfkit.base.errors import PerfkitError
from perfkit.rewrites._rewrite import Case, Form, Goal, Inputs, Quality, Rewrite

LOGITS = 15.0


class Auc(Enum):
    """How the area under the ROC curve is kept."""

    EXACT = "exact"
    HISTOGRAM = "histogram"
    NONE = "none"


@dataclass(frozen=True)
class Metrics:
    """What was read. None where it is not defined: no steps, no examples, labels of one class.

    Attributes:
        loss: mean over the steps.
        accuracy: share of examples whose logit is above 0 where the label is 1, and not where 0.
        invalid: examples whose logit is NaN; they count as predicted 0 and stay out of the AUC.
    """

    steps: int
    examples: int
    invalid: int
    loss: float | None
    accuracy: float | None
    auc: float | None


class DeviceMetrics:
    """Accumulates on the device of what it is given; only `read` waits.

    Args:
        auc: see `Auc`.
        bins: of the histogram, over logits from -15 to 15; those outside count in the outer bins.
    """

    def __init__(self, auc: Auc = Auc.EXACT, bins: int = 4096) -> None:
        self.auc = auc
        self.bins = bins
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._sums: _Sums | None = None
        self._kept: list[tuple[Tensor, Tensor]] = []

    def update(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add one step, without a wait.

        Args:
            loss: scalar.
            logits: floating point [n], before the sigmoid; a tensor of one's own if `Auc.EXACT`.
            labels: [n] of 0 and 1, any dtype.

        Raises:
            PerfkitError: logits and labels of different shapes.
        """
        if logits.shape != labels.shape:
            raise PerfkitError(
                f"logits {tuple(logits.shape)} and labels {tuple(labels.shape)} differ",
                "give one logit per label",
            )
        with torch.no_grad():
            logits, labels = logits.detach().reshape(-1), labels.reshape(-1) > 0
            if self._sums is None:
                self._sums = _Sums.zero(
                    logits.device, self.bins if self.auc is Auc.HISTOGRAM else 0
                )
            self._sums.add(loss.detach(), logits, labels)
            if self.auc is Auc.EXACT:
                self._kept.append((logits, labels))

    def read(self) -> Metrics:
        """Wait once, and give what was accumulated since the last reset."""
        if self._sums is None:
            return Metrics(0, 0, 0, None, None, None)
        with torch.no_grad():
            sums = self._sums
            parts = [sums.loss.sum(0, keepdim=True), sums.counts.to(sums.wide), self._ranks()]
            loss, correct, invalid, wins, pairs = torch.cat(parts).tolist()
        examples = sums.examples
        return Metrics(
            steps=sums.steps,
            examples=examples,
            invalid=round(invalid),
            loss=loss / sums.steps,
            accuracy=correct / examples if examples else None,
            auc=wins / pairs if pairs else None,
        )

    def merged(self, other: DeviceMetrics) -> DeviceMetrics:
        """The metrics of both together, as if one had seen all steps (of another rank, say).

        Raises:
            PerfkitError: they keep the AUC differently.
        """
        if (self.auc, self.bins) != (other.auc, other.bins):
            raise PerfkitError("metrics with different AUC cannot be merged", "make both alike")
        both = DeviceMetrics(self.auc, self.bins)
        sums = [one._sums for one in (self, other) if one._sums is not None]
        both._sums = sums[0].plus(sums[1:]) if sums else None
        both._kept = self._kept + other._kept
        return both

    def _ranks(self) -> Tensor:
        """[pairs won by the positive, pairs]: float64 [2], on the device."""
        assert self._sums is not None
        if self.auc is Auc.EXACT:
            scores = torch.cat([logits for logits, _ in self._kept])
            labels = torch.cat([labels for _, labels in self._kept])
            return _exact_pairs(scores, labels, self._sums.wide)
        if self.auc is Auc.HISTOGRAM:
            return _histogram_pairs(self._sums.histogram, self._sums.wide)
        return torch.zeros(2, dtype=self._sums.wide, device=self._sums.loss.device)


@dataclass
class _Sums:
    """Steps and examples are known to the host; the rest is on the device.

    Attributes:
        loss: [2], the sum, and, for float32, what rounding took from it.
        counts: int64 [2], correct and invalid.
        histogram: int64 [2 * bins], examples labelled 0 by bin, then those labelled 1.
    """

    steps: int
    examples: int
    loss: Tensor
    counts: Tensor
    histogram: Tensor

    @classmethod
    def zero(cls, device: torch.device, bins: int) -> _Sums:
        wide = torch.float32 if device.type == "mps" else torch.float64
        loss = torch.zeros(2, dtype=wide, device=device)
        counts = torch.zeros(2, dtype=torch.int64, device=device)
        return cls(0, 0, loss, counts, torch.zeros(2 * bins, dtype=torch.int64, device=device))

    @property
    def wide(self) -> torch.dtype:
        return self.loss.dtype

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        self.steps += 1
        self.examples += logits.numel()
        _add(self.loss, loss)
        invalid = logits.isnan()
        judged = torch.stack([(logits > 0) == labels, invalid])
        self.counts.add_(judged.sum(1))
        bins = self.histogram.numel() // 2
        if bins:
            place = torch.add(bins / 2, logits.float(), alpha=bins / (2 * LOGITS))
            place = place.nan_to_num_(0.0).clamp_(0, bins - 1).long().add_(labels, alpha=bins)
            self.histogram.scatter_add_(0, place, (~invalid).long())

    def plus(self, others: list[_Sums]) -> _Sums:
        device = self.loss.device
        total = _Sums.zero(device, self.histogram.numel() // 2)
        for one in (self, *others):
            total.steps += one.steps
            total.examples += one.examples
            _add(total.loss, one.loss[0].to(device))
            total.loss[1] += one.loss[1].to(device)
            total.counts.add_(one.counts.to(device))
            total.histogram.add_(one.histogram.to(device))
        return total


def _add(sum_and_lost: Tensor, value: Tensor) -> None:
    """Add to a sum; in float32 what rounding loses is kept apart (the larger operand loses none)."""
    kept, lost = sum_and_lost[0], sum_and_lost[1]
    if kept.dtype is torch.float64:
        kept.add_(value)
        return
    value = value.to(kept.dtype)
    total = kept + value
    rest = torch.where(kept.abs() >= value.abs(), (kept - total) + value, (value - total) + kept)
    lost.add_(torch.where(total.isfinite(), rest, 0))
    kept.copy_(total)


def _exact_pairs(scores: Tensor, labels: Tensor, wide: torch.dtype) -> Tensor:
    """Pairs of a positive and a negative, and those in which the positive scores higher; ties halved."""
    valid = ~scores.isnan()
    order = scores.argsort()
    scores = scores[order].contiguous()
    positive = (labels & valid)[order].to(wide)
    negative = (~labels & valid)[order].to(wide)
    below = torch.cat([negative.new_zeros(1), negative.cumsum(0)])
    lower = below[torch.searchsorted(scores, scores)]
    upper = below[torch.searchsorted(scores, scores, right=True)]
    wins = (positive * (lower + upper) / 2).sum()
    return torch.stack([wins, positive.sum() * negative.sum()])


def _histogram_pairs(histogram: Tensor, wide: torch.dtype) -> Tensor:
    negative, positive = histogram.view(2, -1).to(wide)
    below = negative.cumsum(0) - negative
    wins = (positive * (below + negative / 2)).sum()
    return torch.stack([wins, positive.sum() * negative.sum()])


def device_metrics(auc: Auc = Auc.EXACT, bins: int = 4096) -> DeviceMetrics:
    """A fresh accumulator; see `DeviceMetrics`."""
    return DeviceMetrics(auc, bins)


def found(losses: Tensor, logits: Tensor, labels: Tensor) -> tuple[float | None, ...]:
    """As met in programs: read in every step; AUC from lists on the host. All [steps, n], [steps]."""
    total, correct, scores, truth = 0.0, 0, [], []
    for loss, row, label in zip(losses, logits, labels, strict=True):
        total += loss.item()
        correct += ((row > 0) == (label > 0)).sum().item()
        scores += row.cpu().tolist()
        truth += label.cpu().tolist()
    auc = _rank_auc(scores, truth)
    return total / len(losses), correct / len(scores), auc


def _rank_auc(scores: list[float], truth: list[int]) -> float | None:
    """By ranks in plain Python, ties averaged."""
    order = sorted(range(len(scores)), key=scores.__getitem__)
    ranks, first = 0.0, 0
    while first < len(order):
        last = first
        while last + 1 < len(order) and scores[order[last + 1]] == scores[order[first]]:
            last += 1
        ranks += (first + last + 2) / 2 * sum(truth[order[i]] for i in range(first, last + 1))
        first = last + 1
    positive = sum(truth)
    pairs = positive * (len(truth) - positive)
    return (ranks - positive * (positive + 1) / 2) / pairs if pairs else None


def _accumulated(auc: Auc) -> Any:
    def run(losses: Tensor, logits: Tensor, labels: Tensor) -> tuple[float | None, ...]:
        metrics = DeviceMetrics(auc)
        for loss, row, label in zip(losses, logits, labels, strict=True):
            metrics.update(loss, row, label)
        read = metrics.read()
        return read.loss, read.accuracy, read.auc

    return run


def _mean_of_step_aucs(losses: Tensor, logits: Tensor, labels: Tensor) -> tuple[Any, ...]:
    pairs = [
        _exact_pairs(row, label > 0, torch.float64)
        for row, label in zip(logits, labels, strict=True)
    ]
    correct = ((logits > 0) == (labels > 0)).double().mean()
    auc = torch.stack([wins / total for wins, total in pairs]).mean()
    return float(losses.double().mean()), float(correct), float(auc)


def _auc_error(inputs: Inputs, right: Any, given: Any) -> Quality:
    return Quality("difference of AUC", abs(right[2] - given[2]), 1e-3)


def _case(
    name: str, steps: int, examples: int, *, ties: bool = False, measured: bool = False
) -> Case:
    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        labels = (torch.rand(steps, examples, generator=generator) < 0.2).long()
        logits = torch.randn(steps, examples, generator=generator) + labels - 1.5
        if ties:
            logits = logits.round()
        return torch.rand(steps, generator=generator), logits, labels

    return Case(name, make, f"{steps} steps of {examples} examples", measured=measured)


def _one_class(seed: int) -> Inputs:
    return torch.tensor([0.5, 0.25]), torch.randn(2, 3), torch.zeros(2, 3, dtype=torch.int64)


REWRITE = Rewrite(
    title="Accumulate metrics on the device and read them once",
    found=(Form("found", found, "never: waits several times per step"),),
    forms=(
        Form("scores kept", _accumulated(Auc.EXACT), "while scores of one interval fit the device"),
        Form(
            "histogram",
            _accumulated(Auc.HISTOGRAM),
            "for any number of examples",
            exact=False,
            approximates="scores in the same of 4096 bins count as ties in the AUC",
            quality=_auc_error,
        ),
    ),
    traps=(Form("mean of AUCs", _mean_of_step_aucs, "never: not the AUC of all examples"),),
    cases=(
        _case("ties", 3, 40, ties=True),
        _case("one step", 1, 50),
        Case("one class", _one_class, measured=False),
        _case("50 steps", 50, 512, measured=True),
    ),
    goals=(
        Goal("50 steps", form="scores kept", syncs=1, ratio=1),
        Goal("50 steps", form="histogram", syncs=1, ratio=1),
    ),
)

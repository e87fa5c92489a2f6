"""Quality and score. All take sequences or arrays; None where a number has no meaning.

Labels are 0 or 1; one that is unknown is NaN, and nothing is then known of AUC and PCOC.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

TIME_LIMIT_S = 300.0
AUC_FLOOR = 0.65
PCOC_TOLERANCE = 0.15
MAY_LOSE_AUC = 1e-4
MAY_MISS_PCOC = 0.02


def auc(labels: ArrayLike, predictions: ArrayLike) -> float | None:
    """Chance that a clicked row is ranked above one not clicked, a tie counting half.

    None unless both kinds of rows are there.
    """
    if np.isnan(labels).any():
        return None
    clicked = np.asarray(labels) > 0.5
    positives = int(clicked.sum())
    negatives = clicked.size - positives
    if positives == 0 or negatives == 0:
        return None
    _, group, sizes = np.unique(np.asarray(predictions), return_inverse=True, return_counts=True)
    last_rank = np.cumsum(sizes)
    mean_rank = last_rank - (sizes - 1) / 2
    rank_sum = mean_rank[group][clicked].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def pcoc(labels: ArrayLike, predictions: ArrayLike) -> float | None:
    """Predicted over observed click rate; None when nothing was clicked."""
    observed = float(np.sum(np.asarray(labels)))
    return float(np.sum(np.asarray(predictions))) / observed if observed > 0 else None


def cti2026_score(latency_s: float, auc_value: float, pcoc_value: float) -> float:
    """The contest's published score, 0 to 100: 70 points for time, 30 for quality.

    Zero above 300 s or below an AUC of 0.65; no quality points if PCOC is off by more than 0.15.
    """
    if latency_s > TIME_LIMIT_S or auc_value < AUC_FLOOR:
        return 0.0
    time_part = max(0.0, (TIME_LIMIT_S - latency_s) / TIME_LIMIT_S)
    error = abs(pcoc_value - 1.0)
    if error > PCOC_TOLERANCE:
        return 70.0 * time_part
    ranking = (auc_value - AUC_FLOOR) * 1000.0
    calibration = (PCOC_TOLERANCE - error) / PCOC_TOLERANCE * 10.0
    return 70.0 * time_part + 30.0 * (ranking + calibration) / 360.0


def logit_shift(logits: ArrayLike, target: float) -> float:
    """The number b for which the mean of sigmoid(logits + b) is `target`.

    With the observed click rate of rows like these as the target, PCOC becomes 1; ranking, and so
    AUC, stays as it is. Fit it on rows whose clicks are known, not on those it is judged by.
    Newton's method within a bracket, since the mean rises strictly with b.

    Raises:
        ValueError: no logits, or a target that is not between 0 and 1: no shift reaches it.
    """
    values = np.asarray(logits, dtype=np.float64)
    if not values.size or not 0.0 < target < 1.0:
        raise ValueError(f"no shift of {values.size} logits gives a mean of {target}")
    middle = math.log(target / (1.0 - target))
    low, high = middle - float(values.max()), middle - float(values.min())
    shift = (low + high) / 2
    for _ in range(100):
        predicted = _sigmoid(values + shift)
        error = float(predicted.mean()) - target
        if abs(error) <= 1e-12:
            break
        low, high = (low, shift) if error > 0 else (shift, high)
        slope = float((predicted * (1.0 - predicted)).mean())
        step = shift - error / slope if slope > 0 else low
        shift = step if low < step < high else (low + high) / 2
    return shift


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.clip(values, -700.0, 700.0)))


@dataclass(frozen=True)
class Neutral:
    """A constraint-first judgement.

    Attributes:
        speedup: times faster than the reference; 0 where a constraint is broken.
        broken: which, and by how much; empty where none is.
    """

    speedup: float
    broken: str


def neutral_score(
    seconds: float,
    auc_value: float | None,
    pcoc_value: float | None,
    *,
    reference_seconds: float,
    reference_auc: float | None,
) -> Neutral:
    """Our own score: quality is a condition, and time counts only where it is met.

    The AUC may be 0.0001 below the reference's, and PCOC 0.02 away from 1; what meets both is worth
    its speed-up over the reference in completed time, anything else nothing. The contest's score
    trades one for the other: 0.001 of AUC is worth 0.36 s of 300 there.
    """
    if auc_value is None or reference_auc is None or pcoc_value is None:
        return Neutral(0.0, "AUC and PCOC are not known")
    if auc_value < reference_auc - MAY_LOSE_AUC:
        return Neutral(0.0, f"AUC {reference_auc - auc_value:.5f} below the reference's")
    if abs(pcoc_value - 1.0) > MAY_MISS_PCOC:
        return Neutral(0.0, f"PCOC {pcoc_value:.3f} is more than {MAY_MISS_PCOC} away from 1")
    return Neutral(reference_seconds / seconds if seconds > 0 else math.inf, "")

"""AUC, PCOC and calibration of predicted probabilities. Labels are 0 or 1, NaN where unknown.

None where a number has no meaning: AUC with one kind of label, PCOC without a positive one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from perfkit.base.errors import PerfkitError

Array = NDArray[Any]
BINS = 10


@dataclass(frozen=True)
class Scores:
    """Quality of predictions for rows with known labels.

    Attributes:
        auc: chance that a positive row ranks above a negative one, a tie counting half.
        pcoc: predicted over observed rate; 1 is right.
        ece: expected calibration error: distance of predicted from observed rate in bins of equally
            many rows, weighted by rows (Naeini et al. 2015, with equal-mass bins).
    """

    rows: int
    auc: float | None
    pcoc: float | None
    ece: float | None


def scores(labels: ArrayLike, predictions: ArrayLike) -> Scores:
    """All scores of one set of predictions.

    Raises:
        PerfkitError: lengths differ, or predictions are not numbers between 0 and 1.
    """
    known, predicted = checked(labels, predictions)
    return Scores(
        rows=int(known.size),
        auc=auc(known, predicted),
        pcoc=pcoc(known, predicted),
        ece=calibration_error(known, predicted),
    )


def checked(labels: ArrayLike, predictions: ArrayLike) -> tuple[Array, Array]:
    """Rows with known labels, as float64.

    Raises:
        PerfkitError: as `scores`.
    """
    known = np.asarray(labels, dtype=np.float64).ravel()
    predicted = np.asarray(predictions, dtype=np.float64).ravel()
    if known.size != predicted.size:
        raise PerfkitError(
            f"{predicted.size} predictions for {known.size} labels", "give one for each row"
        )
    if not ((predicted >= 0) & (predicted <= 1)).all():
        raise PerfkitError(
            "predictions are not all between 0 and 1", "give probabilities; a NaN is a failed model"
        )
    there = ~np.isnan(known)
    return known[there], predicted[there]


def auc(labels: Array, predictions: Array) -> float | None:
    """By the rank sum of positive rows (Mann and Whitney), ties at their mean rank."""
    positive = labels > 0.5
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return None
    _, group, sizes = np.unique(predictions, return_inverse=True, return_counts=True)
    ranks = np.cumsum(sizes) - (sizes - 1) / 2
    above = ranks[group][positive].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def pcoc(labels: Array, predictions: Array) -> float | None:
    """Sum of predictions over sum of labels."""
    observed = float(labels.sum())
    return float(predictions.sum()) / observed if observed > 0 else None


def calibration_error(labels: Array, predictions: Array, bins: int = BINS) -> float | None:
    """Expected calibration error in bins of equally many rows; equal predictions share a bin."""
    if not labels.size:
        return None
    edges = np.unique(np.quantile(predictions, np.linspace(0, 1, bins + 1)[1:-1]))
    group = np.searchsorted(edges, predictions, side="right")
    gaps = np.bincount(group, predictions - labels)
    return float(np.abs(gaps).sum() / labels.size)

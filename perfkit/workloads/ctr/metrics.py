"""Quality and score. All take plain sequences and return None where the number has no meaning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TIME_LIMIT_S = 300.0
AUC_FLOOR = 0.65
PCOC_TOLERANCE = 0.15


def auc(labels: Sequence[float], predictions: Sequence[float]) -> float | None:
    """Chance that a clicked row is ranked above one not clicked, a tie counting half.

    None unless both kinds of rows are there.
    """
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


def pcoc(labels: Sequence[float], predictions: Sequence[float]) -> float | None:
    """Predicted over observed click rate; None when nothing was clicked."""
    observed = float(np.sum(labels))
    return float(np.sum(predictions)) / observed if observed > 0 else None


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

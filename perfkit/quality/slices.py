"""Before against after, overall and for every value of a slicing feature.

A gate on the total alone can be passed by a model that became worse for everybody: where the mix of
rows that carry the score differs between slices, the total may rise while every slice falls (Simpson).
Such a disagreement in direction is always told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from perfkit.base.errors import PerfkitError
from perfkit.quality.scores import Scores, scores

Metric = Literal["auc", "pcoc", "ece"]
METRICS: tuple[Metric, ...] = ("auc", "pcoc", "ece")
LEAST_ROWS = 100
"""Slices of fewer rows are listed, not judged: their scores are noise."""


@dataclass(frozen=True)
class Limits:
    """How much worse a rewrite may be: lost AUC, PCOC's distance from 1 grown, ECE grown.

    Those of the whole; a slice may lose `slice_factor` times as much, being noisier.
    """

    auc: float = 1e-4
    pcoc: float = 0.02
    ece: float = 0.005
    slice_factor: float = 5.0


@dataclass(frozen=True)
class Row:
    """One slice. `name` is "all", or "feature=value"."""

    name: str
    before: Scores
    after: Scores

    def worse(self, metric: Metric) -> float | None:
        """How much worse after is, negative where better; None where a score has no meaning."""
        one, other = getattr(self.before, metric), getattr(self.after, metric)
        if one is None or other is None:
            return None
        if metric == "auc":
            return float(one - other)
        if metric == "pcoc":
            return float(abs(other - 1) - abs(one - 1))
        return float(other - one)

    @property
    def judged(self) -> bool:
        """Whether it has enough rows."""
        return self.name == "all" or self.before.rows >= LEAST_ROWS


@dataclass(frozen=True)
class Comparison:
    """The outcome. `rows[0]` is the whole.

    Attributes:
        failures: why the gate does not hold; empty where it does.
        warnings: where slices and total disagree, and what could not be judged.
    """

    rows: tuple[Row, ...]
    failures: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.failures


def compare(
    labels: ArrayLike,
    before: ArrayLike,
    after: ArrayLike,
    slices: Mapping[str, ArrayLike] | None = None,
    limits: Limits | None = None,
) -> Comparison:
    """Judge predictions of an approximate rewrite against those of the code it replaces.

    Args:
        slices: by feature, the value of each row.

    Raises:
        PerfkitError: lengths differ, or something is no probability.
    """
    limits = limits or Limits()
    known = np.asarray(labels, dtype=np.float64).ravel()
    old, new = (np.asarray(p, dtype=np.float64).ravel() for p in (before, after))
    rows = [Row("all", scores(known, old), scores(known, new))]
    warnings: list[str] = []
    for feature, given in (slices or {}).items():
        values = np.asarray(given).ravel()
        if values.size != known.size:
            raise PerfkitError(
                f"slice {feature!r} has {values.size} values for {known.size} rows",
                "give one value for each row",
            )
        own = []
        for value in np.unique(values):
            inside = values == value
            pair = (scores(known[inside], p[inside]) for p in (old, new))
            own.append(Row(f"{feature}={value}", *pair))
        warnings += _disagreements(feature, rows[0], own, limits)
        rows += own
    return Comparison(tuple(rows), tuple(_failures(rows, limits)), (*warnings, *_unjudged(rows)))


def _failures(rows: list[Row], limits: Limits) -> list[str]:
    told = []
    for row in rows:
        factor = 1.0 if row.name == "all" else limits.slice_factor
        for metric in METRICS:
            worse, limit = row.worse(metric), getattr(limits, metric) * factor
            if row.judged and worse is not None and worse > limit:
                told.append(
                    f"{row.name}: {metric} went from {getattr(row.before, metric):.5g} to "
                    f"{getattr(row.after, metric):.5g}, worse by {worse:.2g} where {limit:.2g} is allowed"
                )
    return told


def _disagreements(feature: str, whole: Row, own: list[Row], limits: Limits) -> list[str]:
    """Metrics in which the whole moves one way and most rows lie in slices that move the other.

    Moves below a tenth of the limit are no direction.
    """
    told = []
    judged = [row for row in own if row.judged]
    for metric in METRICS:
        least = getattr(limits, metric) / 10
        total = _beyond(whole.worse(metric), least)
        against = [r for r in judged if _beyond(r.worse(metric), least) * total < 0]
        rows = sum(row.before.rows for row in against)
        if against and 2 * rows > sum(row.before.rows for row in judged):
            direction = "worse" if total > 0 else "better"
            other = "better" if direction == "worse" else "worse"
            told.append(
                f"{metric} is {direction} overall but {other} in {len(against)} of {len(judged)} slices "
                f"by {feature} (Simpson): trust the slices"
            )
    return told


def _beyond(change: float | None, least: float) -> float:
    return 0.0 if change is None or abs(change) <= least else change


def _unjudged(rows: list[Row]) -> list[str]:
    small = [row.name for row in rows if not row.judged]
    told = []
    if small:
        named = ", ".join(small[:5]) + (" ..." if len(small) > 5 else "")
        told.append(f"{len(small)} slices have fewer than {LEAST_ROWS} rows, not judged: {named}")
    told += [
        f"{metric} of all rows has no meaning here, so nothing is known of it"
        for metric in METRICS
        if rows[0].worse(metric) is None
    ]
    return told

"""What a model must do with changed inputs: nothing, little, or go one way.

Behavioural tests after Ribeiro et al. 2020 (CheckList): *invariance* (a feature that must not matter),
*perturbation* (a small change moves the result a little), *expectation* (more of a feature never lowers
the result). A model is a callable from a table, columns by name, to one number per row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfkit.base.errors import PerfkitError

Array = NDArray[Any]
Table = Mapping[str, Array]
Model = Callable[[Table], Array]


@dataclass(frozen=True)
class Check:
    """Outcome of one test.

    Attributes:
        worst: the largest violation, in units of the model's result.
        row: where; None where no row was tried or none moved.
        broken, rows: how many rows violate it, of how many.
    """

    name: str
    holds: bool
    worst: float
    row: int | None
    broken: int
    rows: int

    def text(self) -> str:
        """In words."""
        if not self.rows:
            return f"{self.name}: no rows, nothing was tested"
        told = "holds" if self.holds else f"broken in {self.broken} of {self.rows} rows"
        where = "" if self.row is None else f" at row {self.row}"
        return f"{self.name}: {told}, largest {self.worst:.3g}{where}"


def invariance(
    model: Model, table: Table, feature: str, tolerance: float = 0.0, seed: int = 0
) -> Check:
    """The result must not change when `feature` is dealt anew among the rows."""
    column = _column(table, feature)
    dealt = np.random.default_rng(seed).permutation(column)
    moved = np.abs(_run(model, {**table, feature: dealt}) - _run(model, table))
    return _check(f"invariance to {feature}", moved, tolerance)


def perturbation(
    model: Model,
    table: Table,
    feature: str,
    relative: float = 1e-3,
    allowed: float = 1e-2,
    seed: int = 0,
) -> Check:
    """Noise of `relative` times the feature's standard deviation moves no result by more than `allowed`."""
    column = np.asarray(_column(table, feature), dtype=np.float64)
    scale = relative * (float(column.std()) or 1.0)
    noisy = column + np.random.default_rng(seed).normal(0.0, scale, column.shape)
    given = np.asarray(table[feature])
    noisy = noisy.astype(given.dtype) if given.dtype.kind == "f" else noisy
    moved = np.abs(_run(model, {**table, feature: noisy}) - _run(model, table))
    return _check(f"perturbation of {feature}", moved, allowed)


def expectation(
    model: Model, table: Table, feature: str, step: float, tolerance: float = 0.0
) -> Check:
    """`step` more of `feature` never lowers the result; a negative step says that less does not."""
    column = _column(table, feature)
    more = (column + step).astype(column.dtype)
    if column.size and (more == column).all():
        raise PerfkitError(
            f"a step of {step} changes no {column.dtype} of {feature!r}", "choose a larger step"
        )
    drop = _run(model, table) - _run(model, {**table, feature: more})
    return _check(f"expectation: rising in {feature}", np.maximum(drop, 0.0), tolerance)


def _column(table: Table, feature: str) -> Array:
    if feature not in table:
        raise PerfkitError(f"there is no feature {feature!r}", f"there are: {', '.join(table)}")
    return np.asarray(table[feature])


def _run(model: Model, table: Table) -> Array:
    return np.asarray(model(table), dtype=np.float64).ravel()


def _check(name: str, violation: Array, allowed: float) -> Check:
    bad = ~(violation <= allowed)  # a NaN is a violation
    ranked = np.where(np.isnan(violation), np.inf, violation)
    worst = int(ranked.argmax()) if ranked.size else None
    return Check(
        name=name,
        holds=bool(ranked.size) and not bad.any(),
        worst=float(ranked[worst]) if worst is not None else 0.0,
        row=worst if worst is not None and ranked[worst] > 0 else None,
        broken=int(bad.sum()),
        rows=int(ranked.size),
    )

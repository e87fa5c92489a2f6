"""What a narrower dtype would change: bytes, intensity and floor of a step, if nothing else changed.

An estimate from shapes: the operands of the rows that change shrink with the width of their dtype,
and their arithmetic runs at the peak of the new one. Casts that become necessary, and whether the
result is still good enough, are not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from perfkit.analysis.roofline import floor
from perfkit.costs._call import SIZES
from perfkit.model.costs import OpCost
from perfkit.model.peaks import Peaks
from perfkit.model.table import Column, Table

COLUMNS = (
    Column("change"), Column("changed", "ratio"), Column("nbytes", "bytes"), Column("intensity"),
    Column("floor_ns", "ns"), Column("speedup", "ratio"),
)  # fmt: skip

_WIDE = ("float64", "float32")
_FLOATS = (*_WIDE, "float16", "bfloat16")
# Of the dtypes, the first that the device has a peak for is meant.
_CHANGES = (
    ("matrix products in {}", ("tf32",), ("float32",), ("matmul",)),
    ("floats as {}", ("bfloat16", "float16"), _WIDE, ("matmul", "vector")),
    ("matrix products in {}", ("float8_e4m3fn",), _FLOATS, ("matmul",)),
    ("matrix products in {}", ("int8",), _FLOATS, ("matmul",)),
)
_STORED = {**SIZES, "tf32": 4}


@dataclass(frozen=True)
class Narrower:
    """One change. `changed`: share of the known FLOPs it applies to; amounts are per step."""

    change: str
    changed: float
    flops: float
    nbytes: float
    floor_ns: float

    @property
    def intensity(self) -> float | None:
        return self.flops / self.nbytes if self.nbytes else None


def low_precision(costs: Sequence[OpCost], peaks: Peaks, steps: int = 1) -> tuple[Narrower, ...]:
    """The step as it is, then each change that the device has a peak for and that changes something."""
    known = [cost for cost in costs if floor(cost, peaks).ns is not None]
    found = [_summed("as it is", known, 0.0, peaks, steps)]
    whole = sum(cost.flops or 0 for cost in known)
    for name, dtypes, wide, units in _CHANGES:
        dtype = next((d for d in dtypes if d in peaks.matmul), None)
        changes = [cost.dtype in wide and cost.unit in units for cost in known]
        if dtype is None or not any(changes):
            continue
        after = [_narrowed(c, dtype) if yes else c for c, yes in zip(known, changes, strict=True)]
        flops = sum(c.flops or 0 for c, yes in zip(known, changes, strict=True) if yes)
        found.append(
            _summed(name.format(dtype), after, flops / whole if whole else 0.0, peaks, steps)
        )
    return tuple(found)


def low_precision_table(found: Sequence[Narrower]) -> Table:
    """`low_precision` as a table; `speedup` is of the floor, not of the step."""
    now = found[0].floor_ns if found else 0.0
    rows = tuple(
        (
            each.change,
            each.changed,
            each.nbytes,
            each.intensity,
            round(each.floor_ns),
            now / each.floor_ns if each.floor_ns else None,
        )
        for each in found
    )
    return Table(COLUMNS, rows)


def _narrowed(cost: OpCost, dtype: str) -> OpCost:
    before, after = _STORED[cost.dtype], _STORED[dtype]
    read, written = ((n or 0) * after // before for n in (cost.read, cost.written))
    if cost.unit == "matmul" and after == 1:  # products of bytes are accumulated and kept wider
        written = (cost.written or 0) * min(2, before) // before
    return replace(cost, dtype=dtype, read=read, written=written)


def _summed(
    change: str, costs: Sequence[OpCost], changed: float, peaks: Peaks, steps: int
) -> Narrower:
    return Narrower(
        change,
        changed,
        sum(cost.flops or 0 for cost in costs) / steps,
        sum(cost.nbytes or 0 for cost in costs) / steps,
        sum(floor(cost, peaks).ns or 0.0 for cost in costs) / steps,
    )

"""Matrix products that could run on faster or on more units: by dtype, sides, and size.

Sides: cuBLAS reaches the full rate of tensor cores where rows of the operands fill whole 16-byte
lines, so multiples of 8 in half precision, 16 in 8-bit types and 4 in TF32 (NVIDIA, "Matrix
Multiplication Background User's Guide"). Other sides work, more slowly; how much is not modelled.

Size: a product too small for all units of the device at once, see `wave_quantisation`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from perfkit.analysis.roofline import Floor, floor
from perfkit.analysis.wave_quantisation import Filling, filling
from perfkit.costs._index import family
from perfkit.model.costs import OpCost
from perfkit.model.peaks import Peaks

_MULTIPLES = {"float16": 8, "bfloat16": 8, "int8": 16, "float8_e4m3fn": 16, "float8_e5m2": 16}
_OF_TF32 = 4
FEW = 0.6
"""Share of the device that a product fills at best, below which it is told."""
_SHAPE = re.compile(r"\[([\d,]+)\]")


@dataclass(frozen=True)
class Slow:
    """Products that could be faster; `now_ns` is measured where it was, else the floor.

    Attributes:
        best_ns: the same products at the faster rate, by the same measure; None where not modelled.
        unaligned: sides that are no multiple of what the units want, of the first product.
        filled: of the units, by the first product; None where that was not the question.
    """

    rows: tuple[OpCost, ...]
    now_ns: float
    best_ns: float | None
    unaligned: tuple[int, ...] = ()
    filled: Filling | None = None


def off_tensor_cores(rows: Sequence[Floor], peaks: Peaks) -> Slow | None:
    """Products in float32 although the device has TF32 for them; None where there are none.

    Convolutions are left out: cuDNN takes them in TF32 unless somebody forbade it.
    """
    if "tf32" not in peaks.matmul or "float32" in peaks.matmul:
        return None
    mine = [row for row in rows if row.cost.unit == "matmul" and row.cost.dtype == "float32"]
    mine = [row for row in mine if family(row.cost.op) != "convolution"]
    known = [(row, floor(row.cost, peaks, tf32=True).ns) for row in mine if row.ns]
    if not known:
        return None
    now = sum(time_of(row) for row, _ in known)
    best = sum(time_of(row) * (fast or 0.0) / (row.ns or 1.0) for row, fast in known)
    return Slow(tuple(row.cost for row, _ in known), now, best)


def unaligned(rows: Sequence[Floor], tf32: bool = False) -> Slow | None:
    """Products on tensor cores with sides that these do not like; None where there are none.

    Args:
        tf32: products of float32 are taken by tensor cores, too.
    """
    found = [(row, odd_sides(row.cost, tf32)) for row in rows]
    found = [(row, sides) for row, sides in found if sides]
    if not found:
        return None
    found.sort(key=lambda pair: -time_of(pair[0]))
    now = sum(time_of(row) for row, _ in found)
    return Slow(tuple(row.cost for row, _ in found), now, None, found[0][1])


def unfilled(rows: Sequence[Floor], units: int | None) -> Slow | None:
    """Products that leave units idle whichever way they are cut; None where there are none.

    Only of products bound by arithmetic: the others wait for memory, whoever works. What the same
    products would take on all units is `best_ns`.
    """
    pairs = [(row, filling(row.cost, units)) for row in rows if row.bound == "compute"]
    found = [(row, filled) for row, filled in pairs if filled is not None and filled.high < FEW]
    if not found:
        return None
    found.sort(key=lambda pair: -time_of(pair[0]))
    now = sum(time_of(row) for row, _ in found)
    best = sum(time_of(row) * filled.high for row, filled in found)
    return Slow(tuple(row.cost for row, _ in found), now, best, filled=found[0][1])


def odd_sides(cost: OpCost, tf32: bool = False) -> tuple[int, ...]:
    """The sides of its matrices that are no multiple of what its dtype wants; empty where all are."""
    multiple = _MULTIPLES.get(cost.dtype)
    if tf32 and cost.dtype == "float32":
        multiple = _OF_TF32
    if cost.unit != "matmul" or multiple is None or "mm" not in cost.op:
        return ()
    sides: dict[int, None] = {}
    for shape in _SHAPE.findall(cost.signature):
        numbers = [int(number) for number in shape.split(",")]
        if len(numbers) >= 2:  # a bias has no matrix
            sides.update(dict.fromkeys(numbers[-2:]))
    return tuple(side for side in sides if side % multiple)


def time_of(row: Floor) -> float:
    """Measured time of a row where it was measured on the floor's device, else its floor."""
    return float(row.cost.device_ns) if row.cost.device_ns is not None else row.ns or 0.0

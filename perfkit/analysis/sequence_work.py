"""Which operators of a step work on padded sequences, and which on all pairs of an attention.

Told by sizes: an operand with sequences x longest places in one dimension or in two is work on places;
one that ends in [queries, keys], a product that makes such scores, and a fused attention over as many
keys are work on pairs. What has these sizes by accident is counted, too; sizes that an operator changes
(a pooled sequence) are not followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from perfkit.analysis.roofline import Floor
from perfkit.analysis.tensor_cores import time_of
from perfkit.costs._index import family
from perfkit.model.costs import OpCost

_SHAPE = re.compile(r"\[([\d,]+)\]")
_Shape = tuple[int, ...]


@dataclass(frozen=True)
class SequenceWork:
    """The rows of a step that belong to sequences; no row is in both."""

    places: tuple[Floor, ...]
    pairs: tuple[Floor, ...]


def sequence_work(rows: Iterable[Floor], sequences: int, longest: int) -> SequenceWork:
    """Work on the padded places of a batch, and on their pairs; what the optimizer does is neither."""
    places, pairs = [], []
    for row in rows:
        if row.cost.phase == "other":
            continue
        if is_of_pairs(row.cost, longest, longest):
            pairs.append(row)
        elif any(_holds(shape, sequences, longest) for shape in _shapes(row.cost)):
            places.append(row)
    return SequenceWork(tuple(places), tuple(pairs))


def is_of_pairs(cost: OpCost, queries: int, keys: int) -> bool:
    """The call goes through all pairs of so many queries and keys."""
    shapes = _shapes(cost)
    sides = {(queries, keys), (keys, queries)}
    if any(len(shape) > 2 and shape[-2:] in sides for shape in shapes):
        return True
    if family(cost.op) == "attention" and len(shapes) > 1:
        return any(keys in shape[1:-1] for shape in shapes[1:3]) and queries in shapes[0][1:-1]
    if cost.unit != "matmul" or len(shapes) < 2 or len(shapes[-1]) < 3:
        return False
    return (shapes[-2][-2], shapes[-1][-1]) in sides


def makes_mask(cost: OpCost, queries: int, keys: int) -> bool:
    """It works on a mask of its own, outside of heads: [queries, keys] in the forward pass."""
    if cost.phase == "backward" or cost.unit == "matmul" or cost.module is None:
        return False
    return any(shape == (queries, keys) for shape in _shapes(cost))


def summed_ns(rows: Sequence[Floor]) -> float:
    """Their time, measured where it was, else their floors."""
    return sum(time_of(row) for row in rows)


def _holds(shape: _Shape, sequences: int, longest: int) -> bool:
    if sequences * longest in shape:
        return True
    left = list(shape)
    for side in (sequences, longest):
        if side not in left:
            return False
        left.remove(side)
    return True


def _shapes(cost: OpCost) -> list[_Shape]:
    """Of the operands that the signature spells out."""
    found = (tuple(map(int, text.split(","))) for text in _SHAPE.findall(cost.signature))
    return [shape for shape in found if len(shape) > 1]

"""Elementwise operators in a row: what each writes and the next reads again need not reach memory.

A chain is a run of consecutive rows, in the order of their first call, of the elementwise family,
called equally often in the same module and phase, where each reads at least what the one before it
wrote. That is how one producing for the next looks; whether it really does is not recorded. Fused
into one kernel, every result in between is neither written nor read: twice its bytes are saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perfkit.costs._index import family
from perfkit.model.costs import OpCost

_FAMILY = "elementwise"
_LEAST = 3


@dataclass(frozen=True)
class Chain:
    """Consecutive elementwise rows; amounts are over all their calls."""

    rows: tuple[OpCost, ...]

    @property
    def saved_bytes(self) -> int:
        """Bytes of the results in between, written once and read once."""
        return 2 * sum(row.written or 0 for row in self.rows[:-1])

    @property
    def nbytes(self) -> int:
        """Bytes that move now."""
        return sum(row.nbytes or 0 for row in self.rows)

    @property
    def launches_saved(self) -> int:
        """Operator calls that fusing leaves out."""
        return sum(row.calls for row in self.rows[1:])


def elementwise_chains(costs: Sequence[OpCost]) -> tuple[Chain, ...]:
    """Chains of three and more, those that save most bytes first."""
    found: list[list[OpCost]] = []
    for row in costs:
        if found and found[-1] and _follows(found[-1][-1], row):
            found[-1].append(row)
        else:
            found.append([row] if _is_elementwise(row) else [])
    chains = [Chain(tuple(rows)) for rows in found if len(rows) >= _LEAST]
    return tuple(sorted(chains, key=lambda chain: -chain.saved_bytes))


def _follows(before: OpCost, row: OpCost) -> bool:
    if not _is_elementwise(row):
        return False
    same = (before.module, before.phase, before.calls) == (row.module, row.phase, row.calls)
    return same and (row.read or 0) >= (before.written or 0) > 0


def _is_elementwise(row: OpCost) -> bool:
    return row.flops is not None and family(row.op) == _FAMILY

"""Which operators of a trace count with their costs, so that nothing counts twice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from perfkit.analysis.trace_calls import NO_LIST_DTYPE, cost_by_kernels, cost_of
from perfkit.costs import _index
from perfkit.costs._call import Call, Cost
from perfkit.io.trace_ops import op_parents
from perfkit.model.events import UNKNOWN, Events, Ints, Mask

_RETURN_THEMSELVES = ("aten::to", "aten::contiguous", "aten::type_as", "aten::positive")


@dataclass(frozen=True, eq=False)
class Calls:
    """The operators of the steps, and for each distinct call its cost.

    Attributes:
        inside: which rows of the events they are.
        owners, launched: rows of operators and of what each launched.
        rows: `inside` as rows; everything else has one entry per row.
        kind: index into `distinct`.
        parent: index of the operator around it, UNKNOWN where there is none.
    """

    events: Events
    inside: Mask
    owners: Ints
    launched: Ints

    @cached_property
    def rows(self) -> Ints:
        return np.flatnonzero(self.inside)

    @cached_property
    def parent(self) -> Ints:
        index = np.full(len(self.events) + 1, UNKNOWN, np.int64)
        index[self.rows] = np.arange(len(self.rows))
        found: Ints = index[op_parents(self.events)[self.rows]]
        return found

    @cached_property
    def _kinds(self) -> tuple[Ints, Ints]:
        shapes = self.events.shapes
        code = np.zeros(len(self.events), np.int64)  # 0: no signature
        code[shapes.rows] = shapes.code + 1
        key = self.events.name[self.rows] * (len(shapes.texts) + 1) + code[self.rows]
        keys, kind = np.unique(key, return_inverse=True)
        return keys, kind.ravel()

    @property
    def kind(self) -> Ints:
        return self._kinds[1]

    @cached_property
    def distinct(self) -> tuple[tuple[Call, Cost | _index.NotKnown], ...]:
        names, texts = self.events.names, self.events.shapes.texts
        found = []
        for kind, key in enumerate(self._kinds[0].tolist()):
            name, code = divmod(key, len(texts) + 1)
            call, cost = cost_of(names[name], texts[code - 1] if code else None)
            if isinstance(cost, _index.NotKnown) and cost.reason == NO_LIST_DTYPE:
                cost = cost_by_kernels(call, self._kernels(kind))
            found.append((call, cost))
        return tuple(found)

    def _kernels(self, kind: int) -> set[str]:
        """Names of what the calls of one kind launched themselves."""
        of_kind = self.kind[np.searchsorted(self.rows, self.owners)] == kind
        codes = np.unique(self.events.name[self.launched[of_kind]])
        return {self.events.names[code] for code in codes.tolist()}

    def of_kind(self, flags: list[bool]) -> Mask:
        """One flag per distinct call, spread over the rows."""
        found: Mask = np.array(flags, np.bool_)[self.kind]
        return found


@dataclass(frozen=True, eq=False)
class Counted:
    """Which operators count, by index into the rows of `Calls`.

    Attributes:
        is_known: those that own a cost; is_unknown: those that stand for themselves without one.
        top: for each operator the owner of its subtree, UNKNOWN where there is none.
    """

    is_known: Mask
    is_unknown: Mask
    top: Ints


def counted_among(calls: Calls, launches: Mask, has_device: bool) -> Counted:
    names = [call.name for call, _ in calls.distinct]
    free = calls.of_kind([_index.is_free(name) for name in names])
    has_cost = calls.of_kind([isinstance(cost, Cost) for _, cost in calls.distinct]) & ~free
    composite = calls.of_kind([_index.is_composite(name) for name in names])
    is_product = [isinstance(c, Cost) and c.unit == "matmul" for _, c in calls.distinct]
    product = calls.of_kind(is_product)
    works = launches[calls.rows]
    proper = has_cost & ~composite
    below = np.where(
        product,
        with_chosen_beneath(calls.parent, proper & product),
        with_chosen_beneath(calls.parent, proper),
    )  # a product made of a copy and something unknown keeps its own cost
    idle = calls.of_kind([name in _RETURN_THEMSELVES for name in names])
    lone = has_cost & composite & ~below & (works if has_device else ~idle)
    top = topmost(calls.parent, proper | lone)
    known = top == np.arange(len(top))
    if has_device:
        unknown = works & (top == UNKNOWN)
    else:
        inner = np.zeros(len(top) + 1, np.bool_)
        inner[calls.parent] = True
        aten = calls.of_kind(["::" in name for name in names])
        unknown = aten & ~inner[:-1] & ~free & ~composite & (top == UNKNOWN)
    return Counted(known, unknown, top)


def topmost(parent: Ints, chosen: Mask) -> Ints:
    """For each index the outermost chosen one around it or itself, UNKNOWN where there is none.

    Every round looks twice as far up, so that depth costs no more than its logarithm.
    """
    best = np.r_[np.where(chosen, np.arange(len(chosen)), UNKNOWN), UNKNOWN]
    above = np.r_[parent, UNKNOWN]
    while (above != UNKNOWN).any():
        best = np.where(best[above] != UNKNOWN, best[above], best)
        above = above[above]
    outermost: Ints = best[:-1]
    return outermost


def with_chosen_beneath(parent: Ints, chosen: Mask) -> Mask:
    """Which indices have a chosen one beneath them."""
    above = np.r_[parent, UNKNOWN]
    found = np.zeros(len(above), np.bool_)
    found[parent[chosen]] = True
    while (above != UNKNOWN).any():
        found[above[found]] = True
        above = above[above]
    beneath: Mask = found[:-1]
    return beneath

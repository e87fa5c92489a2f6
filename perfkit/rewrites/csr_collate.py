"""A batch gathered out of columns, instead of out of Python lists.

What it replaces
    A collate function that walks over rows and slots and extends a list of ids for each: 28 x S
    list operations, and every id an object of its own until `torch.tensor` looks at each again.

Why it is faster
    With all ids of the data set in one array, by row and slot, a batch is one gather: where each
    bag begins and how long it is follows from two cumulative sums. No Python per row, slot or id.

When it wins, and when not
    Whenever the data set can be held as columns, which also takes a tenth of the memory and is
    shared by forked workers without being copied. Where rows arrive one at a time from elsewhere,
    the lists have to be joined and little is gained. `csr_fused` gives the layout that
    `fused_embedding` reads; take `csr_collate` where the program wants one pair of tensors per slot.

Exact or approximate
    Exact: the same integers.

Hazards
    Empty bags repeat an offset, they must not vanish: lengths are counted per row and slot, never
    found from the ids. Sums of int32 lengths overflow beyond two thousand million ids, so they are
    made in int64. Slots have to be ordered within a row (a trap that the proof refuses slices rows
    as they come).

Your own inputs
    `listed`: for each row a dictionary from slot (from 0) to a list of ids. `values`, `row_offsets`,
    `counts`: the same as columns, which `columns_of(listed, slots)` makes. `rows`: int64 [S], those of
    the batch.
"""

from __future__ import annotations

from collections import UserList
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from perfkit.rewrites._rewrite import Case, Form, Goal, Inputs, Rewrite

Bags = list[tuple[Tensor, Tensor]]
Listed = UserList[dict[int, list[int]]]
"""Every row's ids by slot. Not a plain list, into which a proof would look for tensors."""


def csr_collate(values: Tensor, row_offsets: Tensor, counts: Tensor, rows: Tensor) -> Bags:
    """The bags of some rows, slot by slot.

    Args:
        values: int64 [N], ids by row and then slot.
        row_offsets: int64 [R + 1]; the ids of row r are row_offsets[r] to row_offsets[r + 1].
        counts: integers [R, slots], ids of each slot of each row.
        rows: int64 [S], the rows wanted, in any order, repeated or not.

    Returns:
        For each slot (values int64 [n], offsets int64 [S + 1]).
    """
    starts, lengths = _bags(row_offsets, counts, rows)
    together = gathered(values, starts.t(), lengths.t())
    offsets = lengths.new_zeros(lengths.shape[1], lengths.shape[0] + 1)
    torch.cumsum(lengths.t(), 1, out=offsets[:, 1:])
    own = together.split(offsets[:, -1].tolist())
    return list(zip(own, offsets.unbind(0), strict=True))


def csr_fused(
    values: Tensor, row_offsets: Tensor, counts: Tensor, rows: Tensor
) -> tuple[Tensor, Tensor]:
    """The bags of some rows, row by row: bag i * slots + s is slot s of rows[i].

    Returns:
        (values int64 [n], offsets int64 [S * slots + 1]); arguments as `csr_collate`.
    """
    lengths = counts[rows].to(torch.int64)
    offsets = lengths.new_zeros(lengths.numel() + 1)
    torch.cumsum(lengths.reshape(-1), 0, out=offsets[1:])
    starts = row_offsets[rows]
    return gathered(values, starts, row_offsets[rows + 1] - starts), offsets


def gathered(values: Tensor, starts: Tensor, lengths: Tensor) -> Tensor:
    """Stretches of `values`, one after the other: lengths[i] numbers from starts[i] on."""
    starts, lengths = starts.reshape(-1), lengths.reshape(-1)
    ends = lengths.cumsum(0)
    total = int(ends[-1]) if ends.numel() else 0
    places = torch.repeat_interleave(starts - ends + lengths, lengths, output_size=total)
    return values[places.add_(torch.arange(total))]


def _bags(row_offsets: Tensor, counts: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Where each bag begins and its length, int64 [S, slots] each."""
    lengths = counts[rows].to(torch.int64)
    return row_offsets[rows][:, None] + lengths.cumsum(1) - lengths, lengths


def found(
    listed: Listed,
    values: Tensor,
    row_offsets: Tensor,
    counts: Tensor,
    rows: Tensor,
) -> Bags:
    """As met in programs: `listed` holds every row's ids by slot, the columns are not used."""
    wanted = [listed.data[row] for row in rows.tolist()]
    bags = []
    for slot in range(counts.shape[1]):
        ids: list[int] = []
        offsets = [0]
        for signs in wanted:
            ids.extend(signs.get(slot, []))
            offsets.append(len(ids))
        bags.append((torch.tensor(ids, dtype=torch.int64), torch.tensor(offsets)))
    return bags


def _columns(listed: object, *columns: Tensor) -> Bags:
    return csr_collate(*columns)


def _split_rows(
    listed: object, values: Tensor, row_offsets: Tensor, counts: Tensor, rows: Tensor
) -> Bags:
    """Rows joined as they are and cut by slot totals: right only where rows have one slot."""
    joined, _ = csr_fused(values, row_offsets, counts, rows)
    lengths = counts[rows].to(torch.int64)
    offsets = torch.nn.functional.pad(lengths.cumsum(0), (0, 0, 1, 0))
    own = joined.split(lengths.sum(0).tolist())
    return list(zip(own, offsets.t().unbind(0), strict=True))


def _adopted(
    listed: Sequence[Any], values: Tensor, row_offsets: Tensor, counts: Tensor, rows: Tensor
) -> Inputs:
    """Inputs as a file holds them."""
    return UserList(listed), values, row_offsets, counts, rows


def columns_of(listed: list[dict[int, list[int]]], slots: int) -> tuple[Tensor, Tensor, Tensor]:
    """(values, row_offsets, counts) of rows given as dictionaries; once per data set."""
    bags = [[signs.get(slot, []) for slot in range(slots)] for signs in listed]
    counts = torch.tensor([[len(bag) for bag in row] for row in bags], dtype=torch.int32)
    counts = counts.reshape(-1, slots)
    row_offsets = torch.zeros(len(listed) + 1, dtype=torch.int64)
    torch.cumsum(counts.sum(1), 0, out=row_offsets[1:])
    values = torch.tensor([i for row in bags for bag in row for i in bag], dtype=torch.int64)
    return values, row_offsets, counts


def drawn(name: str, total: int, slots: int, wanted: int, measured: bool = True) -> Case:
    """A case of `total` rows of which `wanted` make a batch; a tenth of the bags are empty."""

    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        lengths = (torch.rand(total, slots, generator=generator) >= 0.1).long()
        lengths[:, :2] += torch.randint(0, 3, (total, min(slots, 2)), generator=generator)
        listed = []
        for row in lengths.tolist():
            ids = torch.randint(0, 5_000_000, (sum(row),), generator=generator).tolist()
            bags = {s: [ids.pop() for _ in range(n)] for s, n in enumerate(row) if n}
            listed.append(bags)
        rows = torch.randint(0, max(total, 1), (wanted,), generator=generator)
        return UserList(listed), *columns_of(listed, slots), rows

    shape = f"{wanted} of {total} rows, {slots} slots"
    return Case(name, make, shape, (0, 1, 2, 3, 4), measured, (torch.float32,))


REWRITE = Rewrite(
    title="Keep ids as columns and gather a batch out of them",
    found=(Form("found", found, "never: a list operation per row and slot"),),
    forms=(Form("columns", _columns, "wherever the data set can be held as columns"),),
    traps=(Form("rows cut by slot totals", _split_rows, "never: slots get mixed up"),),
    cases=(
        drawn("2,000 rows", 2_500, 28, 2_000),
        drawn("one slot", 9, 1, 5, measured=False),
        drawn("no rows", 4, 3, 0, measured=False),
        drawn("three slots", 20, 3, 11, measured=False),
    ),
    goals=(Goal("2,000 rows", ratio=8.0),),
    adopt=_adopted,
)

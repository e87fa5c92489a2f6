"""Segment number of every row, from offsets, without asking the device how many rows there are.

What it replaces
    `torch.repeat_interleave(torch.arange(n), lengths)`: the output is as long as the sum of
    `lengths`, so the host asks the device twice: whether a length is negative, and for the sum. The
    program almost always knows the sum: it is the row count of the tensor that the ids go with.

Why it is faster
    With `output_size=` nothing is read: two synchronisations less per call, and the
    device does not run dry after them. The arithmetic stays the same.

When it wins, and when not
    `repeat_interleave` with `output_size=` wherever the size is known; that is the whole change.
    `cumsum` of marks at the segment starts is as fast and fits programs that need the marks anyway.
    `searchsorted` and `bucketize` ask a binary search per row: several times slower on a CPU, of use
    only where rows come out of order or are not contiguous. When the size really is unknown on the
    host, nothing here removes the wait; then ask once per batch and hand the number on.

Exact or approximate
    Exact: the same integers.

Hazards
    A wrong `output_size` raises on a CPU; on CUDA nothing checks it, and what comes out is wrong: pass
    the row count of the very tensor that the ids index. Writing 1 at each start instead of adding it
    merges empty segments into their neighbour (a trap that the proof refuses).

Your own inputs
    `offsets`: int64 [n + 1], ascending from 0. `rows`: the last of them, as a number.
"""

from __future__ import annotations

import torch
from torch import Tensor

from perfkit.rewrites._rewrite import Case, Form, Goal, Inputs, Rewrite


def segment_ids(offsets: Tensor, rows: int) -> Tensor:
    """Segment number of every row.

    Args:
        offsets: int64 [n + 1], ascending from 0; rows of segment i are offsets[i] to offsets[i + 1].
        rows: offsets[n], known on the host.

    Returns:
        int64 [rows] on the device of `offsets`.
    """
    numbers = torch.arange(offsets.numel() - 1, device=offsets.device)
    return torch.repeat_interleave(numbers, offsets.diff(), output_size=rows)


def found(offsets: Tensor, rows: int) -> Tensor:
    """As met in programs; `rows` is there and not used."""
    numbers = torch.arange(offsets.numel() - 1, device=offsets.device)
    return torch.repeat_interleave(numbers, offsets.diff())


def by_cumsum(offsets: Tensor, rows: int) -> Tensor:
    """One mark per start, summed up; starts past the last row are those of empty last segments."""
    marks = torch.zeros(rows + 1, dtype=torch.int64, device=offsets.device)
    marks.index_add_(0, offsets[1:-1], torch.ones_like(offsets[1:-1]))
    return marks[:rows].cumsum(0)


def by_searchsorted(offsets: Tensor, rows: int) -> Tensor:
    """A binary search for every row."""
    positions = torch.arange(rows, device=offsets.device)
    return torch.searchsorted(offsets[1:].contiguous(), positions, right=True)


def by_bucketize(offsets: Tensor, rows: int) -> Tensor:
    """The same search under its other name."""
    positions = torch.arange(rows, device=offsets.device)
    return torch.bucketize(positions, offsets[1:].contiguous(), right=True)


def _marks_written(offsets: Tensor, rows: int) -> Tensor:
    marks = torch.zeros(rows + 1, dtype=torch.int64, device=offsets.device)
    marks[offsets[1:-1]] = 1
    return marks[:rows].cumsum(0)


def drawn(segments: int, mean: int, empty: float = 0.1) -> Case:
    """A case with log-normal lengths, a share of them zero."""

    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        lengths = (mean * torch.randn(segments, generator=generator).exp() * 0.6).long()
        lengths[torch.rand(segments, generator=generator) < empty] = 0
        offsets = torch.zeros(segments + 1, dtype=torch.int64)
        torch.cumsum(lengths, 0, out=offsets[1:])
        return offsets, int(offsets[-1])

    return Case(f"{segments} segments", make, shape=f"mean length about {mean}, some empty")


def _fixed(name: str, *offsets: int) -> Case:
    def make(seed: int) -> Inputs:
        return torch.tensor(offsets), offsets[-1]

    return Case(name, make, measured=False)


REWRITE = Rewrite(
    title="Give repeat_interleave the size it would ask the device for",
    found=(Form("found", found, "never: it waits for the device"),),
    forms=(
        Form("output_size", segment_ids, "wherever the number of rows is known on the host"),
        Form("cumsum", by_cumsum, "as fast; where the start marks are needed as well"),
        Form("searchsorted", by_searchsorted, "only for rows out of order; slow on a CPU"),
        Form("bucketize", by_bucketize, "as searchsorted"),
    ),
    traps=(Form("marks written", _marks_written, "never: empty segments vanish"),),
    cases=(
        drawn(50, 300),
        drawn(2000, 8),
        _fixed("no segments", 0),
        _fixed("no rows", 0, 0, 0),
        _fixed("empty first, middle and last", 0, 0, 2, 2, 2, 5, 5),
        _fixed("one segment", 0, 7),
    ),
    goals=(
        Goal("50 segments", ratio=0.95, syncs=0),
        Goal("2000 segments", ratio=0.95, syncs=0),
    ),
)

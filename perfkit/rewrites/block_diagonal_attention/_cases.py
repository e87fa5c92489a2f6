"""Inputs to prove and to measure on: (q, k, v, offsets, lengths on the host, rows that ask)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from perfkit.rewrites._rewrite import Case, Inputs

ON_THE_HOST = (4, 5)
EXACT = (torch.float64, torch.float32)
HALF = (*EXACT, torch.float16, torch.bfloat16)


def inputs_of(
    lengths: Sequence[int],
    rows: Sequence[int] | None = None,
    heads: int = 2,
    size: int = 8,
    seed: int = 0,
    gradients: bool = True,
) -> Inputs:
    """Random queries, keys and values for users of these lengths."""
    generator = torch.Generator().manual_seed(seed)
    keys = sum(lengths)
    queries = keys if rows is None else len(rows)
    tensors = [
        torch.randn(count, heads, size, generator=generator).requires_grad_(gradients)
        for count in (queries, keys, keys)
    ]
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    given = (*tensors, offsets, list(lengths))
    return given if rows is None else (*given, torch.tensor(rows, dtype=torch.int64))


def given(
    name: str,
    *lengths: int,
    rows: Sequence[int] | None = None,
    gradients: bool = True,
    dtypes: tuple[torch.dtype, ...] = EXACT,
) -> Case:
    """Lengths spelled out."""

    def make(seed: int) -> Inputs:
        return inputs_of(lengths, rows, seed=seed, gradients=gradients)

    return Case(name, make, stays_on_host=ON_THE_HOST, measured=False, dtypes=dtypes)


def drawn(
    name: str,
    users: int,
    mean: int,
    longest: int,
    asking: float | None = None,
    gradients: bool = False,
) -> Case:
    """Log-normal lengths (sigma 1.2), 4 heads of 32; `asking` is the share of rows that are queries.

    The contract tests leave its proof to benchmarks and `perfkit verify`: the found code in float64
    takes a gigabyte at these sizes, and several with `gradients`.
    """

    def make(seed: int) -> Inputs:
        lengths = log_normal(users, mean, longest, seed)
        rows = None
        if asking is not None:
            generator = torch.Generator().manual_seed(seed)
            rows = (torch.rand(sum(lengths), generator=generator) < asking).nonzero()[:, 0].tolist()
        return inputs_of(lengths, rows, 4, 32, seed, gradients=gradients)

    shape = f"{users} users of mean length {mean}, longest {longest}, 4 heads of 32"
    return Case(name, make, shape, stays_on_host=ON_THE_HOST, dtypes=())


def log_normal(users: int, mean: int, longest: int, seed: int = 0) -> list[int]:
    """Lengths of that mean; the longest user has exactly `longest` rows."""
    generator = torch.Generator().manual_seed(seed)
    raw = (1.2 * torch.randn(users - 1, generator=generator)).exp()
    others = (raw / raw.mean() * (mean * users - longest) / (users - 1)).round().clamp(1, longest)
    return [*others.int().tolist(), longest]

"""Ids of a draft model's tokens in the main model's vocabulary, looked up where the tokens are.

What it replaces
    A dictionary from draft to main ids, asked once per drafted token with `int(token)`. Each `int`
    of a device tensor waits for the device, 2048 times for 2048 tokens. Then `-1 in ids`: one token
    that the main vocabulary does not have, and the whole draft is thrown away.

Why it is faster
    The dictionary becomes a table on the device and the questions become one gather: no wait, five
    launches however many tokens there are. The usable length of each branch is counted there too, so
    that the tokens before the first one without a counterpart are kept.

When it wins, and when not
    Always on a device, and on a CPU from some tens of tokens on. One `tolist()` of the drafts and a
    loop over Python numbers (the form `one read`) waits once and is of use where the draft has to
    reach the host anyway, to be written as text for instance.

Exact or approximate
    Exact: the same ids. The found code's decision to discard is `usable < length`; keeping the usable
    prefix instead changes how many tokens are verified, never which tokens come out.

Hazards
    An id below zero or beyond the vocabulary has no counterpart; indexing with it directly takes a
    row from the end of the table, or asserts on CUDA. Hence the row of -1 that closes the table.
    What counts is the first token without a counterpart: the number of tokens that have one says
    nothing about the prefix. -1 must not reach an embedding of the main model: clamp for the forward,
    and let the verification refuse it.

Your own inputs
    `drafts`: int64 [batch, branches, L]. `table`: the main id of every draft token, as a dictionary or
    int64 [draft vocabulary] with -1 for none. `mapping`: left out, unless the found code's dictionary
    may differ from the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from perfkit.rewrites._rewrite import Case, Form, Goal, Inputs, Rewrite

NONE = -1


@dataclass(frozen=True)
class Alignment:
    """Drafts in the main vocabulary.

    Attributes:
        ids: int64 [..., L]; -1 where the main vocabulary has no single token for it.
        usable: int64 [...], tokens before the first -1; L where the whole branch can be used.
    """

    ids: Tensor
    usable: Tensor


def draft_alignment(drafts: Tensor, table: Tensor) -> Alignment:
    """Look up drafted tokens in the main vocabulary, without asking the device anything.

    Args:
        drafts: int64 [batch, branches, L] in the draft vocabulary; any leading shape will do.
        table: int64 [draft vocabulary + 1] on the same device: the main id of each draft token or
            -1, and a last -1 where every id outside the vocabulary ends; from `token_table` or
            `closed`.
    """
    ids = table.take(drafts.clamp(-1, table.numel() - 1))  # -1 is the last row, too
    return Alignment(ids, (ids >= 0).cumprod(-1).sum(-1))


def closed(main_ids: Tensor) -> Tensor:
    """The table with a last -1, for ids that are no draft token's. Once, not in the loop."""
    return torch.cat([main_ids, main_ids.new_full((1,), NONE)])


def token_table(pieces: Sequence[str], encode: Callable[[str], Sequence[int]]) -> Tensor:
    """Main id of every draft token, -1 where the main model writes several: int64 [pieces + 1].

    Args:
        pieces: text of each draft token, in the order of their ids.
        encode: the main tokenizer; what it cannot write as one token has no counterpart.
    """
    written = [list(encode(piece)) for piece in pieces]
    one = [ids[0] if len(ids) == 1 else NONE for ids in written]
    return closed(torch.tensor(one, dtype=torch.int64))


def found(drafts: Tensor, table: Tensor, mapping: Mapping[int, int]) -> Alignment:
    """As met in programs: one question to the device per token."""
    branches = drafts.reshape(math.prod(drafts.shape[:-1]), drafts.shape[-1])
    ids = [[mapping.get(int(token), NONE) for token in branch] for branch in branches]
    usable = [row.index(NONE) if NONE in row else len(row) for row in ids]
    return _on_device(ids, usable, drafts)


def by_one_read(drafts: Tensor, table: Tensor, mapping: Mapping[int, int]) -> Alignment:
    """The same loop over Python numbers that were read at once."""
    branches = drafts.reshape(math.prod(drafts.shape[:-1]), drafts.shape[-1]).tolist()
    ids = [[mapping.get(token, NONE) for token in branch] for branch in branches]
    usable = [row.index(NONE) if NONE in row else len(row) for row in ids]
    return _on_device(ids, usable, drafts)


def by_table(drafts: Tensor, table: Tensor, mapping: Mapping[int, int]) -> Alignment:
    """`draft_alignment` with the found code's arguments; the dictionary is there and not used."""
    return draft_alignment(drafts, table)


def _on_device(ids: list[list[int]], usable: list[int], like: Tensor) -> Alignment:
    return Alignment(
        torch.tensor(ids, dtype=torch.int64, device=like.device).reshape(like.shape),
        torch.tensor(usable, dtype=torch.int64, device=like.device).reshape(like.shape[:-1]),
    )


def _indexed_directly(drafts: Tensor, table: Tensor, mapping: Mapping[int, int]) -> Alignment:
    ids = table[:-1][drafts.clamp(1 - table.numel(), table.numel() - 2)]
    return Alignment(ids, (ids >= 0).cumprod(-1).sum(-1))


def _counted(drafts: Tensor, table: Tensor, mapping: Mapping[int, int]) -> Alignment:
    ids = draft_alignment(drafts, table).ids
    return Alignment(ids, (ids >= 0).sum(-1))


def _main_ids_of_ones_own(drafts: Tensor, table: Tensor, mapping: Mapping[int, int]) -> Alignment:
    return Alignment(drafts, torch.full(drafts.shape[:-1], drafts.shape[-1], device=drafts.device))


def _adopted(
    drafts: Tensor,
    table: Tensor | Mapping[int, int],
    mapping: Mapping[int, int] | None = None,
) -> Inputs:
    """Inputs as a file holds them; `table` as a dictionary or as the main id of every draft token."""
    if isinstance(table, Mapping):
        ids = torch.full((max(table, default=-1) + 1,), NONE)
        for draft, main in table.items():
            ids[draft] = main
    else:
        ids = table
    known = dict(enumerate(ids.tolist())) if mapping is None else dict(mapping)
    return drafts, closed(ids), MappingProxyType(known)


def drawn(batch: int, branches: int, length: int, vocab: int = 4000, strange: float = 0.0) -> Case:
    """A case with one draft token in twenty without a counterpart, and some ids beyond the table."""

    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        table = torch.randperm(vocab, generator=generator)
        table[torch.rand(vocab, generator=generator) < 0.05] = NONE
        shape = (batch, branches, length)
        drafts = torch.randint(vocab, shape, generator=generator)
        beyond = torch.rand(shape, generator=generator) < strange
        drafts[beyond] = torch.randint(-3, 0, shape, generator=generator)[beyond] * vocab + 1
        return _adopted(drafts, table)

    tokens = batch * branches * length
    name = f"{tokens} tokens" + (", some beyond the table" if strange else "")
    return Case(name, make, f"[{batch}, {branches}, {length}]", measured=not strange and tokens > 0)


def _fixed(name: str, drafts: list[Any], table: list[int]) -> Case:
    def make(seed: int) -> Inputs:
        return _adopted(torch.tensor(drafts, dtype=torch.int64), torch.tensor(table))

    return Case(name, make, measured=False)


REWRITE = Rewrite(
    title="Look drafted tokens up in a table on the device",
    found=(
        Form("found", found, "never: it waits for the device once per token"),
        Form("one read", by_one_read, "where the drafts are read by the host anyway"),
    ),
    forms=(Form("table", by_table, "always on a device; on a CPU from some tens of tokens on"),),
    traps=(
        Form("indexed directly", _indexed_directly, "never: -1 takes the table's last row"),
        Form("counted", _counted, "never: counts usable tokens after an unusable one"),
        Form("own ids", _main_ids_of_ones_own, "never: the vocabularies differ"),
    ),
    cases=(
        drawn(4, 32, 16),
        drawn(1, 4, 8),
        drawn(2, 4, 8, vocab=50, strange=0.2),
        _fixed("unusable first, middle, last and nowhere", [[[0, 1], [1, 0], [1, 1]]], [-1, 7]),
        _fixed("usable after unusable", [[[1, 0, 1, 1]]], [-1, 7]),
        _fixed("padding ids", [[[1, -1, 0]], [[2, -1, -1]]], [3, 2, 1]),
        _fixed("no tokens", [[[], []]], [5]),
        _fixed("no branches", [[]], [5]),
    ),
    goals=(Goal("2048 tokens", ratio=30.0, device_ops=5, syncs=0, copies=0),),
    adopt=_adopted,
)

"""Reading what masks and ids hold. Only for tensors whose reading makes nobody wait.

A mask is judged by its last two dimensions, [queries, keys]. Of several heads the first is read, of
very long sequences the first `CORNER` queries and keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

CORNER = 2048
_MOST = 1 << 24
_AS_GOOD_AS_MINUS_INFINITY = -1e4


@dataclass(frozen=True)
class Read:
    """What was read, see `model.operands.Operands`."""

    what: str
    looked: int = 0
    part: int = 0
    padded: float | None = None
    padded_pairs: float | None = None


NOT_READ = Read("not read")


def ids_read(ids: Tensor, padding: int) -> Read:
    """How many of the ids are the padding's; by sequence where they are [sequences, longest]."""
    is_padding = ids == padding
    looked, part = is_padding.numel(), _number(is_padding.sum())
    if ids.dim() != 2 or not looked:
        share = part / looked if looked else None
        return Read("padding ids", looked, part, share, share)
    return Read("padding ids", looked, part, *_of_lengths((~is_padding).sum(-1), ids.shape[1]))


def mask_read(mask: Tensor) -> Read:
    """The structure of an attention mask: boolean (True may be seen) or added to the scores."""
    mask = _corner(mask)
    if mask.dtype == torch.bool:
        return _blocked(~mask)
    blocked = mask <= _AS_GOOD_AS_MINUS_INFINITY
    if _true(((mask != 0) & ~blocked).any()):
        return Read("a bias", blocked.numel(), _number(blocked.sum()))
    return _blocked(blocked)


def scores_read(scores: Tensor) -> Read | None:
    """The mask that scores went through before their softmax; None where nothing is masked."""
    blocked = _corner(scores) <= _AS_GOOD_AS_MINUS_INFINITY
    return _blocked(blocked) if _true(blocked.any()) else None


def _corner(mask: Tensor) -> Tensor:
    """[sequences, queries, keys] of one head, as much as is read."""
    mask = mask.detach()
    if mask.dim() == 4:
        mask = mask[:, 0]
    mask = mask.reshape(-1, *mask.shape[-2:])[..., :CORNER, :CORNER]
    return mask[: max(1, _MOST // max(1, mask.shape[1] * mask.shape[2]))]


def _blocked(blocked: Tensor) -> Read:
    looked, part = blocked.numel(), _number(blocked.sum())
    if not part:
        return Read("nothing masked", looked, 0)
    lengths = (~blocked.all(-2)).sum(-1)
    padded, pairs = _of_lengths(lengths, blocked.shape[-1])
    return Read(_structure(~blocked), looked, part, padded, pairs)


def _structure(allowed: Tensor) -> str:
    """What kind of mask this is; rows and columns that see and show nothing are padding."""
    live = allowed.any(-1, keepdim=True) & allowed.any(-2, keepdim=True)
    is_padded = not _true(live.all())
    square = allowed.shape[-1] == allowed.shape[-2]
    if _same(allowed, live):
        return "padding"
    if square and _same(allowed, live.tril()):
        return "causal and padding" if is_padded else "causal"
    first, is_whole = _stretches(allowed)
    if not is_whole:
        return "other"
    if not square or not _same(first.gather(-1, first), first):
        return "window"
    if _same(allowed, allowed.tril()) and _true(
        (allowed.diagonal(0, -2, -1) | ~live.any(-1)).all()
    ):
        return "block-diagonal and causal"
    return "block-diagonal" if _same(allowed, allowed.mT) else "window"


def _stretches(allowed: Tensor) -> tuple[Tensor, bool]:
    """The first key that each query sees (the first of all where it sees none), and whether every
    query sees all keys from its first to its last."""
    numbers = allowed.int()
    first = numbers.argmax(-1)
    last = allowed.shape[-1] - 1 - numbers.flip(-1).argmax(-1)
    count = allowed.sum(-1)
    return first, _true(((last - first + 1 == count) | (count == 0)).all())


def _of_lengths(lengths: Tensor, longest: int) -> tuple[float, float]:
    """(share of places that is padding, share of pairs with padding in them)."""
    known: list[int] = torch._C.TensorBase.tolist(lengths)
    places = longest * len(known)
    return 1 - sum(known) / places, 1 - sum(n * n for n in known) / (longest * places)


def _same(one: Tensor, other: Tensor) -> bool:
    return _true((one == other).all())


def _true(value: Tensor) -> bool:
    return bool(_number(value))


def _number(value: Tensor) -> Any:
    # the method that no pretence replaces: reading here is nobody's synchronisation
    return torch._C.TensorBase.item(value)

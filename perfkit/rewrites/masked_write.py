"""Write where a mask is set without asking how often it is.

What it replaces
    `x[mask] = f(x[mask])`, `x[mask] = values` and their kin. Indexing by a boolean mask first makes
    a list of positions, whose length only the device knows: the host waits, for the read and again
    for the write.

Why it is faster
    `torch.where` chooses element by element; every size is known, one pass, no wait. On a CPU it
    also saves gathering and scattering.

When it wins, and when not
    `where` for anything computed element by element. Where f is expensive per row (a network) and
    few rows are meant, computing it for all is a loss: `masked_rows` gathers up to `capacity` rows,
    a bound that the program must know, into a tensor of fixed size. That is for devices: on a CPU,
    where nothing waits, indexing by the mask stays about 1.4 times faster. A plain number is written by
    `masked_fill`; `x[mask] = number` does not wait in current versions of torch either, `where` and
    `masked_fill` only also work where x needs its old value.

Exact or approximate
    Exact, in value and gradient, when `safe` lies where f and its derivative are finite, and, for
    `masked_rows`, when the capacity holds.

Hazards
    `where(mask, f(x), x)` is right in value and wrong in gradient: where f is not finite on elements
    that were not meant (a square root of a negative number), 0 times infinity makes their gradient
    NaN. Hence `safe`, which those elements are replaced by before f sees them. Blending with
    `mask * a + ~mask * b` lets infinities and NaN through in value as well. More rows than the
    capacity are left unchanged without a word: ask for the count on log steps. f must not look at
    other elements (no softmax, no batch statistics).

Your own inputs
    `x`: any shape. `mask`: bool, of the shape of `x` or of its leading dimensions. `value`: a number,
    a tensor of the shape of `x`, the name of a function of torch ("sqrt", "log", "relu", ...), or the
    weights of a two-layer network of whole rows, a dictionary of `inner` and `outer`, [D, F] each.
    `safe`: 1 if left out. `capacity`: 0 if left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from perfkit.rewrites._own import named_function, rebuilt
from perfkit.rewrites._rewrite import Case, Form, Goal, Inputs, Rewrite

Change = Callable[[Tensor], Tensor]


def masked_write(
    x: Tensor, mask: Tensor, value: Tensor | float | Change, safe: float = 1.0
) -> Tensor:
    """`x` with `value` where the mask is set; `x` itself is not changed.

    Args:
        x: [...]; any dtype.
        mask: bool, of the shape of x or of its leading dimensions (whole rows).
        value: a number; a tensor that broadcasts to x, read where the mask is set; or a function
            from elements to elements, applied to all of x.
        safe: what a function sees instead of elements that are not meant; it and its derivative
            must be finite there.
    """
    mask = _over(mask, x)
    if callable(value):
        value = value(torch.where(mask, x, safe))
    if isinstance(value, Tensor):
        value = value.to(x.dtype)
    return torch.where(mask, value, x)


def masked_rows(
    x: Tensor, mask: Tensor, change: Change, capacity: int, safe: float = 1.0
) -> Tensor:
    """`x` with `change` applied to the rows where the mask is set, at most `capacity` of them.

    Args:
        x: [rows, ...].
        mask: bool [rows]; rows beyond the first `capacity` set ones stay as they are.
        change: from [capacity, ...] to the same shape, row by row.
        safe: what `change` sees in rows that are left over.
    """
    rows = x.shape[0]
    nth = mask.cumsum(0) - 1
    slot = torch.where(mask & (nth < capacity), nth, capacity)  # the slot past the end is a bin
    taken = torch.full((capacity + 1,), rows, device=x.device)
    taken.scatter_(0, slot, torch.arange(rows, device=x.device))
    taken = taken[:capacity]
    padded = torch.cat([x, x.new_full((1, *x.shape[1:]), safe)])
    changed = change(padded.index_select(0, taken)).to(x.dtype)
    return padded.index_copy(0, taken, changed)[:rows]


def found(x: Tensor, mask: Tensor, value: Any, safe: float, capacity: int) -> Tensor:
    """As met in programs."""
    x = x.clone()
    if callable(value):
        x[mask] = value(x[mask])
    elif isinstance(value, Tensor):
        x[mask] = value[mask]
    else:
        x[mask] = value
    return x


def by_where(x: Tensor, mask: Tensor, value: Any, safe: float, capacity: int) -> Tensor:
    """`masked_write` as a form."""
    return masked_write(x, mask, value, safe)


def by_rows(x: Tensor, mask: Tensor, value: Any, safe: float, capacity: int) -> Tensor:
    """`masked_rows` as a form."""
    return masked_rows(x, mask, value, capacity, safe)


def by_masked_fill(x: Tensor, mask: Tensor, value: Any, safe: float, capacity: int) -> Tensor:
    """For a number."""
    return x.masked_fill(_over(mask, x), value)


def _unguarded(x: Tensor, mask: Tensor, value: Any, safe: float, capacity: int) -> Tensor:
    return torch.where(_over(mask, x), value(x) if callable(value) else value, x)


def _blended(x: Tensor, mask: Tensor, value: Any, safe: float, capacity: int) -> Tensor:
    share = _over(mask, x).to(x.dtype)
    return share * (value(x) if callable(value) else value) + (1 - share) * x


def _over(mask: Tensor, x: Tensor) -> Tensor:
    """The mask with as many dimensions as x."""
    return mask.view(*mask.shape, *(1,) * (x.ndim - mask.ndim))


def choose(x: Tensor, mask: Tensor, value: Any, safe: float, capacity: int) -> str:
    """Rows at a time only for a whole-row function with a capacity well below the row count.

    Measured on a CPU with a 128-wide network of two layers, a tenth of 4096 rows: 9 times dearer than
    found when computed everywhere, 1.4 times when gathered, a quarter of which are spare rows.
    """
    few = 0 < capacity * 2 <= x.shape[0]
    return "rows" if callable(value) and mask.ndim == 1 and few else "where"


def _only_rows(x: Tensor, mask: Tensor, value: Any, safe: float, capacity: int) -> str | None:
    whole = callable(value) and mask.ndim == 1 and capacity > 0
    return None if whole else "needs a function of whole rows and a capacity"


def _only_numbers(x: Tensor, mask: Tensor, value: Any, safe: float, capacity: int) -> str | None:
    return (
        "masked_fill writes numbers only" if callable(value) or isinstance(value, Tensor) else None
    )


@dataclass(frozen=True)
class Network:
    """A row-wise network of two layers; its weights move with the other inputs."""

    inner: Tensor
    outer: Tensor

    @classmethod
    def drawn(cls, width: int) -> Network:
        generator = torch.Generator().manual_seed(width)
        shape = (width, 4 * width)
        inner, outer = (torch.randn(shape, generator=generator) / width**0.5 for _ in range(2))
        return cls(inner, outer)

    def __call__(self, rows: Tensor) -> Tensor:
        return torch.relu(rows @ self.inner) @ self.outer.t() / 2


def _adopted(
    x: Tensor,
    mask: Tensor,
    value: Tensor | float | str | Mapping[str, Tensor],
    safe: float = 1.0,
    capacity: int = 0,
) -> Inputs:
    """Inputs as a file holds them; a function by its name, a network of whole rows by its weights."""
    own: Any = value
    if isinstance(value, str):
        own = named_function(value)
    elif isinstance(value, Mapping):
        own = rebuilt(Network, value)
    return x, mask, own, safe, capacity


def _case(
    name: str,
    shape: tuple[int, ...],
    value: Any,
    share: float,
    *,
    masked: int | None = None,
    safe: float = 1.0,
    capacity: int = 0,
    measured: bool = False,
) -> Case:
    """Positive values where the mask is set, any (and some infinite) where it is not."""

    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        mask = torch.rand(shape[:masked], generator=generator) < share
        x = torch.randn(shape, generator=generator)
        x = torch.where(_over(mask, x), x.abs() + 0.1, x)
        if measured or not x.numel():
            return x.requires_grad_(), mask, value, safe, capacity
        rogue = torch.rand(shape, generator=generator) < 0.1
        x = torch.where(rogue & ~_over(mask, x), float("inf"), x)
        return x.requires_grad_(), mask, value, safe, capacity

    return Case(name, make, f"{shape}, {share:.0%} set", measured=measured)


def _replacement(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(9))


REWRITE = Rewrite(
    title="Choose with where instead of indexing by a mask",
    found=(Form("found", found, "never: the host waits for the number of set elements"),),
    forms=(
        Form("where", by_where, "for whatever is computed element by element"),
        Form("rows", by_rows, "few rows, dear function, known bound", unavailable=_only_rows),
        Form("masked_fill", by_masked_fill, "for a number", unavailable=_only_numbers),
    ),
    choose=choose,
    traps=(
        Form("where without safe input", _unguarded, "never: NaN gradients"),
        Form("blended", _blended, "never: infinities leak through zero weights"),
    ),
    cases=(
        _case("square root", (9, 5), torch.sqrt, 0.4),
        _case("number", (9, 5), -2.5, 0.4),
        _case("tensor", (9, 5), _replacement((9, 5)), 0.4),
        _case("nothing set", (9, 5), torch.log, 0.0),
        _case("everything set", (9, 5), torch.log, 1.0),
        _case("no elements", (0, 5), torch.log, 0.5),
        _case("whole rows", (12, 4), Network.drawn(4), 0.4, masked=1, capacity=12),
        _case("no row set", (12, 4), Network.drawn(4), 0.0, masked=1, capacity=3),
        _case("half of a million", (1000, 1000), torch.sqrt, 0.5, measured=True),
        _case(
            "a tenth of 4096 rows",
            (4096, 128),
            Network.drawn(128),
            0.1,
            masked=1,
            capacity=512,
            measured=True,
        ),
    ),
    goals=(
        Goal("half of a million", ratio=1.5, syncs=0),
        Goal("half of a million", backward=True, ratio=1.5, syncs=0),
        Goal("a tenth of 4096 rows", syncs=0, copies=0),
    ),
    adopt=_adopted,
)

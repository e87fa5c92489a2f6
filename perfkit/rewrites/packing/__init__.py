"""Run token-wise layers on the tokens alone, not on the padding around them.

What it replaces
    A batch padded to its longest sequence, [sequences, longest, D], of which a network computes
    every place and a mask then forgets most.

Why it is faster
    Token-wise layers (linear, norm, activation, embedding) do not care where tokens stand. `pack`
    takes them out by an index that the host made from the lengths; the work shrinks to the share
    that is not padding, and no shape depends on what is on the device.

When it wins, and when not
    By about 1 / efficiency for the layers in between, the efficiency being tokens over places. Pack
    once before the first layer and unpack after the last; packing around every layer copies its input
    twice each time, which costs a third of the gain where layers are narrow. Not worth it above 0.9.
    Layers that mix tokens need the boundaries: hand `cu_seqlens` to varlen attention, or unpack for
    them. Where packing cannot be had, `LengthSortedBatches` gets most of it by padding less.

Exact or approximate
    Packing is exact, in value and gradient; padding comes back as `fill`, not as what the layers
    make of padding. `LengthSortedBatches` yields every sample once and changes their order: exact for
    inference, a change of the order of samples in training.

Hazards
    Positions must start anew in every sequence: use `positions`. Batch statistics (BatchNorm) over
    tokens change, for the better, when padding leaves; that is no longer equal. Dropout draws other
    masks. Shapes vary with the tokens: compiled code and CUDA graphs want a few padded totals instead
    of any. A mean over [sequences, longest] after unpacking still counts padding.

Your own inputs
    `verify` knows its own token-wise network only and takes the sizes from you: `x`
    [sequences, longest, D]; `lengths`: [sequences]; `network`: a dictionary of `positions`
    [longest, D], `inner` and `outer`, [layers, D, F] each. For a network of your own, compare
    `packing(network, x, lengths)` with `network(x)` at the places that are no padding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from perfkit.rewrites._own import rebuilt
from perfkit.rewrites._rewrite import Case, Form, Goal, Inputs, Rewrite
from perfkit.rewrites.packing._forms import (
    Network,
    case,
    cut_to_the_mean,
    lengths_of,
    packed,
    packed_in_every_layer,
    padded,
    running_positions,
)
from perfkit.rewrites.packing.batching import LengthSortedBatches, padding_efficiency
from perfkit.rewrites.packing.layout import Packing, pack, unpack

__all__ = [
    "packing",
    "Packed",
    "Packing",
    "pack",
    "unpack",
    "LengthSortedBatches",
    "padding_efficiency",
    "REWRITE",
]


def packing(
    run: Callable[[Tensor], Tensor],
    x: Tensor,
    lengths: Tensor | Sequence[int] | Packing,
    fill: float = 0.0,
) -> Tensor:
    """Apply a token-wise function or module to the tokens of a padded batch.

    Args:
        run: [total, ...] to [total, ...], each row from its own row alone.
        x: [sequences, longest, ...].
        lengths: [sequences] on the host, or the `Packing` made of them before, on x's device.
        fill: what padding becomes.

    Returns:
        [sequences, longest, ...].

    Raises:
        PerfkitError: lengths on a device, or not those of x.
    """
    if isinstance(lengths, Packing):
        return unpack(run(pack(x, lengths)), lengths, fill)
    where = Packing.of(lengths, x.shape[1]).to(x.device)
    return unpack(run(pack(x, where)), where, fill)


class Packed(nn.Module):
    """A token-wise module run packed; it is `inner` here and in the names of its state."""

    def __init__(self, inner: nn.Module, fill: float = 0.0) -> None:
        super().__init__()
        self.inner = inner
        self.fill = fill

    def forward(self, x: Tensor, lengths: Tensor | Sequence[int] | Packing) -> Tensor:
        """As `packing`."""
        return packing(self.inner, x, lengths, self.fill)


SPREADS = {"little padding": 0.3, "much padding": 0.7, "mostly padding": 1.2}


def _measured(name: str) -> tuple[Case, float]:
    """A case of 32 sequences and the efficiency of its padded batch."""
    lengths = lengths_of(32, 60, SPREADS[name])
    efficiency = float(lengths.sum()) / (len(lengths) * int(lengths.max()))
    return case(name, lengths, 128, measured=True, dtypes=()), efficiency


_MEASURED = {name: _measured(name) for name in SPREADS}


def _adopted(x: Tensor, lengths: Tensor | Sequence[int], network: Mapping[str, Tensor]) -> Inputs:
    """Inputs as a file holds them."""
    return x, torch.as_tensor(lengths), rebuilt(Network, network)


REWRITE = Rewrite(
    title="Run token-wise layers on packed tokens",
    found=(Form("found", padded, "when less than a tenth is padding"),),
    forms=(
        Form("packed once", packed, "wherever the layers in between are token-wise"),
        Form("packed in every layer", packed_in_every_layer, "where others want padding"),
    ),
    traps=(
        Form("running positions", running_positions, "never: positions go on across sequences"),
        Form("cut to the mean", cut_to_the_mean, "never: loses the tokens of long sequences"),
    ),
    cases=(
        case("ragged", torch.tensor([3, 1, 5, 2])),
        case("empty sequences", torch.tensor([0, 3, 0, 0, 2, 0])),
        case("only empty sequences", torch.tensor([0, 0]), extra=2),
        case("no sequences", torch.zeros(0, dtype=torch.int64), extra=2),
        case("wider than needed", torch.tensor([2, 4]), extra=3),
        case("one sequence", torch.tensor([6])),
        case(
            "half precision",
            torch.tensor([3, 1, 5]),
            dtypes=(torch.float32, torch.float16, torch.bfloat16),
        ),
        *(one for one, _ in _MEASURED.values()),
    ),
    goals=tuple(
        goal
        for name, (_, efficiency) in _MEASURED.items()
        for goal in (
            Goal(name, ratio=round(0.8 / efficiency, 2), syncs=0, copies=3),
            Goal(name, ratio=round(0.8 / efficiency, 2), backward=True, syncs=0),
        )
    ),
    adopt=_adopted,
)

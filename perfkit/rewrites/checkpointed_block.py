"""Forget a block's activations in the forward pass and compute them again in the backward pass.

What it replaces
    A model whose activations, kept from the forward to the backward pass, leave no room for a batch
    that fills the device; or reentrant checkpointing, which loses gradients in silence.

Why it is faster
    It is not, for the same batch: a block runs forward twice, a third more work for a model that is
    checkpointed throughout. What it buys is memory, and with it larger batches or longer sequences,
    or no offloading. Choose blocks by `blocks_within` a budget instead of all of them.

When it wins, and when not
    Where memory sets the batch size and a larger batch raises throughput. Blocks that keep much per
    unit of work pay best: attention without a fused kernel, wide activations, long sequences. Not for
    inference, not where everything fits, not around a last block, whose activations are needed at
    once.

Exact or approximate
    Exact, in value and gradient, dropout included (the state of the random generator is restored).

Hazards
    `use_reentrant=True` gives no gradient to the weights where no input of the block requires one.
    `preserve_rng_state=False` draws another dropout mask for the gradient than for the value. What a
    block does besides returning happens twice: counters, running statistics of BatchNorm. Under
    `functional_call` the weights are gone again by the time of the backward pass. A block must not
    wait for the device: it would do so twice. Restoring the generator cannot be captured by a CUDA
    graph: `preserve_rng_state=False` there, for blocks without dropout.

Your own inputs
    `verify` knows its own stack of blocks only and takes the sizes from you: `weights`, a dictionary
    of `inner` and `outer`, [layers, D, F] each; `x`: [..., D]; `drop`: share dropped, 0 if left out.
    For a model of your own, compare loss and gradients with and without
    `with checkpointed_block(model, names):`, and ask `activation_bytes` what is saved.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from perfkit.base.errors import PerfkitError
from perfkit.rewrites import _tree
from perfkit.rewrites._own import rebuilt
from perfkit.rewrites._rewrite import Case, Form, Goal, Inputs, Rewrite


class Checkpoints:
    """What `checkpointed_block` did to a model, and the way back. A context manager.

    Attributes:
        names: qualified names of the checkpointed blocks.
    """

    def __init__(self, blocks: dict[str, nn.Module], preserve_rng_state: bool) -> None:
        self.names = tuple(blocks)
        self._before = [(one, one.__dict__.get("forward")) for one in blocks.values()]
        for block in blocks.values():
            # a partial of a bound method stays right when the model is deep-copied
            block.forward = functools.partial(
                checkpoint,
                block.forward,
                use_reentrant=False,
                preserve_rng_state=preserve_rng_state,
            )

    def undo(self) -> None:
        """The blocks' own forward again."""
        for block, own in self._before:
            if own is None:
                block.__dict__.pop("forward", None)
            else:
                block.forward = own
        self._before = []

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *exc: object) -> None:
        self.undo()


def checkpointed_block(
    model: nn.Module, blocks: Sequence[str], *, preserve_rng_state: bool = True
) -> Checkpoints:
    """Checkpoint blocks of a model, in place. Keys of the state dictionary stay the same.

    Args:
        blocks: qualified names, none inside another; see `blocks_within`.
        preserve_rng_state: False for blocks without dropout that a CUDA graph captures.

    Raises:
        PerfkitError: there is no such block, or one lies inside another.
    """
    return Checkpoints(_named(model, blocks), preserve_rng_state)


def activation_bytes(
    model: nn.Module, blocks: Sequence[str], run: Callable[[], Any]
) -> dict[str, int]:
    """Bytes that each block keeps for the backward pass, parameters, inputs and outputs left out.

    That is what checkpointing it frees: its input is kept either way, and its output by what follows.

    Args:
        run: one forward pass of the model, with gradients, on a typical batch.

    Raises:
        PerfkitError: as `checkpointed_block`.
    """
    ledger = _Ledger({_storage(one) for one in model.parameters()})
    hooks = []
    for name, block in _named(model, blocks).items():
        hooks.append(block.register_forward_pre_hook(ledger.enter(name), with_kwargs=True))
        hooks.append(block.register_forward_hook(ledger.leave, with_kwargs=True))
    try:
        with torch.autograd.graph.saved_tensors_hooks(ledger.keep, lambda tensor: tensor):
            kept = run()
    finally:
        for hook in hooks:
            hook.remove()
    del kept
    return {name: sum(ledger.kept.get(name, {}).values()) for name in blocks}


def blocks_within(budget: int, sizes: dict[str, int]) -> tuple[str, ...]:
    """The blocks to checkpoint, largest first, so that all others and one at work fit the budget.

    Args:
        budget: bytes for activations of these blocks.
        sizes: from `activation_bytes`.

    Raises:
        PerfkitError: even all of them checkpointed do not fit.
    """
    order = sorted(sizes, key=lambda name: -sizes[name])
    for count in range(len(order) + 1):
        kept = sum(sizes[name] for name in order[count:])
        at_work = sizes[order[0]] if count else 0
        if kept + at_work <= budget:
            chosen = set(order[:count])
            return tuple(name for name in sizes if name in chosen)
    raise PerfkitError(
        f"the largest block alone keeps {sizes[order[0]]} bytes, the budget is {budget}",
        "checkpoint smaller blocks, or use a smaller batch",
    )


class _Ledger:
    """Storages kept by the block that runs, each counted once."""

    def __init__(self, elsewhere: set[int]) -> None:
        self.seen = set(elsewhere)
        self.kept: dict[str, dict[int, int]] = {}
        self.alive: list[Tensor] = []  # or an address would be used again
        self.running: list[str] = []

    def enter(self, name: str) -> Callable[..., None]:
        def hook(block: nn.Module, args: Any, kwargs: Any) -> None:
            self.running.append(name)
            for tensor in _tree.tensors([args, kwargs]):
                self._pass(tensor)

        return hook

    def leave(self, block: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
        name = self.running.pop()
        for tensor in _tree.tensors(result):
            self._pass(tensor)
            self.kept.get(name, {}).pop(_storage(tensor), None)

    def keep(self, tensor: Tensor) -> Tensor:
        key = _storage(tensor)
        if self.running and key not in self.seen:
            self._pass(tensor)
            own = self.kept.setdefault(self.running[-1], {})
            own[key] = tensor.untyped_storage().nbytes()
        return tensor

    def _pass(self, tensor: Tensor) -> None:
        self.seen.add(_storage(tensor))
        self.alive.append(tensor)


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _named(model: nn.Module, names: Sequence[str]) -> dict[str, nn.Module]:
    modules = dict(model.named_modules())
    for name in names:
        if name not in modules:
            raise PerfkitError(
                f"there is no block {name!r}",
                f"there are: {', '.join(one for one in modules if one)}",
            )
        around = [one for one in names if name.startswith(f"{one}.")]
        if around:
            raise PerfkitError(
                f"{name} lies inside {around[0]}", "checkpoint the outer or the inner one"
            )
    return {name: modules[name] for name in names}


class Block(nn.Module):
    """Residual network with dropout; its weights are plain tensors [D, F] that may need gradients."""

    def __init__(self, inner: Tensor, outer: Tensor, drop: float) -> None:
        super().__init__()
        self.inner, self.outer, self.drop = inner, outer, drop

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.gelu(F.layer_norm(x, x.shape[-1:]) @ self.inner)
        return x + F.dropout(hidden, self.drop) @ self.outer.t()


@dataclass(frozen=True)
class Weights:
    """Of a stack of blocks: [layers, D, F] each."""

    inner: Tensor
    outer: Tensor

    def stack(self, drop: float) -> nn.Sequential:
        pairs = zip(self.inner, self.outer, strict=True)
        return nn.Sequential(*(Block(inner, outer, drop) for inner, outer in pairs))


def found(weights: Weights, x: Tensor, drop: float) -> Tensor:
    """As met in programs: everything is kept."""
    return _seeded(weights.stack(drop), x)


def every_block(weights: Weights, x: Tensor, drop: float) -> Tensor:
    """All blocks but the last, whose activations are needed at once."""
    model = weights.stack(drop)
    checkpointed_block(model, [str(index) for index in range(len(model) - 1)])
    return _seeded(model, x)


def every_second_block(weights: Weights, x: Tensor, drop: float) -> Tensor:
    """Half of the memory for half of the work."""
    model = weights.stack(drop)
    checkpointed_block(model, [str(index) for index in range(0, len(model), 2)])
    return _seeded(model, x)


def _other_masks(weights: Weights, x: Tensor, drop: float) -> Tensor:
    model = weights.stack(drop)
    names = [str(index) for index in range(len(model))]
    checkpointed_block(model, names, preserve_rng_state=False)
    return _seeded(model, x)


def _without_gradient(weights: Weights, x: Tensor, drop: float) -> Tensor:
    with torch.no_grad():
        middle = _seeded(weights.stack(drop)[:-1], x)
    return _seeded(weights.stack(drop)[-1], middle)


def _seeded(run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The same dropout masks in every form."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return run(x)


def _adopted(weights: Mapping[str, Tensor], x: Tensor, drop: float = 0.0) -> Inputs:
    """Inputs as a file holds them."""
    return rebuilt(Weights, weights), x, drop


def _case(
    name: str,
    shape: tuple[int, ...],
    layers: int,
    drop: float = 0.0,
    *,
    inputs_need_gradients: bool = True,
    measured: bool = False,
) -> Case:
    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        width = shape[-1]
        size = (layers, width, 4 * width)
        inner, outer = (torch.randn(size, generator=generator) / width**0.5 for _ in range(2))
        x = torch.randn(shape, generator=generator).requires_grad_(inputs_need_gradients)
        return Weights(inner.requires_grad_(), outer.requires_grad_()), x, drop

    dtypes = (torch.float32,) if drop else (torch.float64, torch.float32)
    return Case(name, make, f"{layers} blocks, x {shape}", measured=measured, dtypes=dtypes)


REWRITE = Rewrite(
    title="Checkpoint blocks, without reentrance, as many as the budget wants",
    found=(Form("found", found, "where all activations fit"),),
    forms=(
        Form("every block", every_block, "where memory is short: a third more work"),
        Form("every second block", every_second_block, "where half is enough"),
    ),
    traps=(
        Form("other masks", _other_masks, "never with dropout: value and gradient disagree"),
        Form("without gradient", _without_gradient, "never: saves memory by not training"),
    ),
    cases=(
        _case("three blocks", (4, 3), 3),
        _case("one block", (4, 3), 1),
        _case("inputs without gradient", (4, 3), 2, inputs_need_gradients=False),
        _case("dropout", (6, 4), 3, 0.5),
        _case("eight blocks", (512, 64), 8, measured=True),
    ),
    goals=(
        Goal("eight blocks", ratio=0.5, backward=True, syncs=0),
        Goal("eight blocks", form="every second block", ratio=0.6, backward=True, syncs=0),
    ),
    adopt=_adopted,
)

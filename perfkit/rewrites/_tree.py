"""Walking over inputs and outputs: tuples, lists, dictionaries and dataclasses of tensors."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor


def mapped(change: Callable[[Tensor], Tensor], tree: Any) -> Any:
    """The same tree with every tensor changed; modules are left as they are."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(mapped(change, value) for value in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(mapped(change, value) for value in tree)
    if type(tree) is dict:
        return {key: mapped(change, value) for key, value in tree.items()}
    if isinstance(tree, MutableMapping):  # of a class of its own, which programs rely on
        new = copy.copy(tree)
        for key, value in tree.items():
            new[key] = mapped(change, value)
        return new
    if is_dataclass(tree) and not isinstance(tree, type):
        names = [f.name for f in fields(tree) if f.init]
        return replace(tree, **{name: mapped(change, getattr(tree, name)) for name in names})
    return tree


def leaves(tree: Any) -> Iterator[Any]:
    """Tensors and plain values, in a fixed order."""
    if isinstance(tree, MutableMapping):
        tree = list(tree.values())
    elif is_dataclass(tree) and not isinstance(tree, type):
        tree = [getattr(tree, f.name) for f in fields(tree)]
    if isinstance(tree, (list, tuple)):
        for value in tree:
            yield from leaves(value)
    else:
        yield tree


def tensors(tree: Any) -> list[Tensor]:
    """The tensors of a tree, in a fixed order."""
    return [leaf for leaf in leaves(tree) if isinstance(leaf, Tensor)]


def fresh(tree: Any, dtype: torch.dtype | None = None, device: torch.device | None = None) -> Any:
    """A copy with leaf tensors of its own: what required a gradient does so again.

    Args:
        dtype: of floating-point tensors; None keeps theirs.
        device: None keeps theirs.
    """

    def copied(tensor: Tensor) -> Tensor:
        wanted = dtype if tensor.is_floating_point() else None
        new = tensor.detach().to(device or tensor.device, wanted or tensor.dtype, copy=True)
        return new.requires_grad_(tensor.requires_grad)

    return mapped(copied, tree)


def placed(
    inputs: tuple[Any, ...],
    device: torch.device,
    stays_on_host: tuple[int, ...] = (),
    dtype: torch.dtype | None = None,
) -> tuple[Any, ...]:
    """Fresh arguments on a device, but for those that stay on the host."""
    return tuple(
        fresh(argument, dtype, None if index in stays_on_host else device)
        for index, argument in enumerate(inputs)
    )

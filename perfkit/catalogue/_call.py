"""What a rule sees of one operator call, and what it answers. Knows nothing of how calls are watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from perfkit.model.syncs import Direction


class Call(Protocol):
    """One ATen call with the placement of its tensors."""

    @property
    def torch_version(self) -> tuple[int, int]:
        """(major, minor) of the torch that runs."""

    def arg(self, position: int, name: str, default: Any = None) -> Any:
        """The argument at a position of the schema, given positionally or by name."""

    def on_device(self, value: Any) -> bool:
        """True for a tensor on the device."""

    def on_host(self, value: Any) -> bool:
        """True for a tensor that certainly is on the host; False for anything that is no tensor."""

    def pinned(self, value: Any) -> bool:
        """True for a dense tensor in page-locked host memory."""

    def literal(self, value: Any) -> bool:
        """True for an index that torch made from a Python list or array in this very expression."""


class Arguments:
    """The arguments of a call, by position of the schema or by name."""

    def __init__(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._args = args
        self._kwargs = kwargs

    def arg(self, position: int, name: str, default: Any = None) -> Any:
        if position < len(self._args):
            return self._args[position]
        return self._kwargs.get(name, default)


@dataclass(frozen=True)
class Seen:
    """A rule's answer: it synchronises, `count` times.

    `certain` is False where it depends on the version, the driver or values that are not visible.
    The other fields replace the page's or the operator's own where given.
    """

    count: int = 1
    certain: bool = True
    nbytes: int | None = None
    op: str | None = None
    fix: str | None = None
    direction: Direction | None = None


def once_on_device(call: Call) -> Seen | None:
    """The commonest rule: one sync when the first argument is on the device."""
    return Seen() if call.on_device(call.arg(0, "self")) else None


def fills(call: Call) -> bool:
    """True for an `index_put` that becomes `masked_fill`: one device mask, one number from the host.

    Source: `canDispatchToMaskedFill` in ATen's TensorAdvancedIndexingUtils.h.
    """
    given = [i for i in call.arg(1, "indices", ()) if i is not None]
    value = call.arg(2, "values")
    return (
        len(given) == 1
        and is_mask(given[0])
        and call.on_device(given[0])
        and not call.arg(3, "accumulate", False)
        and value.numel() == 1
        and call.on_host(value)
    )


def is_mask(value: Any) -> bool:
    """True for a tensor that indexes as a mask: bool, or uint8 (deprecated, still a mask)."""
    return str(getattr(value, "dtype", "")) in ("torch.bool", "torch.uint8")


def size_of(value: Any) -> int:
    """Bytes of a tensor's elements."""
    return int(value.numel()) * int(value.element_size())

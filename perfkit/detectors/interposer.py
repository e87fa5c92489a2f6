"""A Python layer over an ATen kernel: sees calls that come from inside C++ and where modes are off.

`Interposer` re-registers an operator's kernel at one dispatch key with a function that calls the
original. It costs about a microsecond per intercepted call and nothing elsewhere, works in every
thread, and leaves torch.compile alone (an active dispatch mode would make dynamo fall back to eager).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import torch

Around = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
"""(operator, call the original, args, kwargs) -> result. Must call the original once."""


def available() -> bool:
    """`torch.library.get_kernel` came with torch 2.9; without it nothing can be interposed."""
    return hasattr(torch.library, "get_kernel")


class Interposer:
    """Interposes `around` on operators at one dispatch key while entered.

    Args:
        operators: names with overload, `aten::_local_scalar_dense`.
        key: dispatch key, "CPU" or "CUDA".
        around: called instead of each kernel.

    Attributes:
        missing: operators that have no kernel at this key in this version of torch.
    """

    def __init__(self, operators: Iterable[str], key: str, around: Around) -> None:
        self._operators = tuple(operators)
        self._key = key
        self._around = around
        self._library: torch.library.Library | None = None
        self.missing: list[str] = []

    def __enter__(self) -> Interposer:
        self._library = torch.library.Library("aten", "IMPL")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # overriding a kernel is what we are here for
            for operator in self._operators:
                self._interpose(operator)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._library is not None:
            self._library._destroy()
            self._library = None

    def _interpose(self, operator: str) -> None:
        assert self._library is not None
        try:
            kernel = torch.library.get_kernel(operator, self._key)
        except RuntimeError:
            self.missing.append(operator)
            return
        around = self._around
        tensors = _tensor_positions(operator)

        def layer(keyset: Any, *args: Any, **kwargs: Any) -> Any:
            def original(*a: Any, **k: Any) -> Any:
                return kernel.call_boxed(keyset, *a, **k)

            return around(operator, original, _rewrapped(args, tensors), kwargs)

        name = operator.removeprefix("aten::")
        self._library.impl(name, layer, self._key, with_keyset=True)


def _tensor_positions(operator: str) -> tuple[int, ...]:
    name, _, overload = operator.removeprefix("aten::").partition(".")
    schema = getattr(getattr(torch.ops.aten, name), overload or "default")._schema
    return tuple(i for i, a in enumerate(schema.arguments) if str(a.type) == "Tensor")


def _rewrapped(args: tuple[Any, ...], tensors: tuple[int, ...]) -> tuple[Any, ...]:
    """Undo a courtesy of the binding: 0-d tensors made from Python numbers arrive as numbers."""
    if all(isinstance(args[i], torch.Tensor) for i in tensors if i < len(args)):
        return args
    wide = {bool: torch.bool, int: torch.int64, float: torch.float64, complex: torch.complex128}
    return tuple(
        torch.scalar_tensor(value, dtype=wide[type(value)])
        if position in tensors and type(value) in wide
        else value
        for position, value in enumerate(args)
    )

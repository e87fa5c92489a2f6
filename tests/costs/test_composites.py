"""Operators made of others are those that torch says are."""

from __future__ import annotations

import torch

from perfkit.costs._composites import COMPOSITES
from perfkit.costs._index import is_composite


def _implicit(name: str) -> bool | None:
    """Whether some overload is; None where the dispatcher does not know the operator."""
    found = []
    for schema in torch._C._jit_get_schemas_for_operator(name):
        full = f"{name}.{schema.overload_name}".rstrip(".")
        try:
            key = "CompositeImplicitAutograd"
            found.append(torch._C._dispatch_has_kernel_for_dispatch_key(full, key))
        except RuntimeError:  # known to TorchScript alone
            continue
    return any(found) if found else None


def test_a_kernel_of_its_own_is_no_composite() -> None:
    for name in ("addmm", "convolution", "_softmax", "sum", "max", "where", "copy_", "clone"):
        assert not is_composite(f"aten::{name}")


def test_every_composite_is_one_in_torch() -> None:
    listed = [name for name in sorted(COMPOSITES) if _implicit(name) is False]
    assert listed == []
    assert is_composite("aten::linear") and is_composite("aten::reshape")

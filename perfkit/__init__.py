"""perfkit: which line is slow, how much it costs, and what to write instead.

The public surface, loaded on first use:

    perfkit.profile(name)      measure a block: `with perfkit.profile("name") as p: ... p.step()`
    perfkit.step()             a step of the program ended here
    perfkit.instrument(name)   a named region: decorator or context manager
    perfkit.guard              no_sync(), max_syncs(n), max_launches(n), max_h2d_bytes(n)
    perfkit.register_cost      what a custom operator costs, from the shapes of its operands

In a notebook, `%load_ext perfkit` brings `%%perfkit` and `%perfkit_line`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perfkit.capture import guard
    from perfkit.capture.instrument import instrument, step
    from perfkit.cli._surface import profile
    from perfkit.costs._index import register_cost

__all__ = ["profile", "step", "instrument", "guard", "register_cost"]

_WHERE = {
    "profile": "perfkit.cli._surface",
    "step": "perfkit.capture.instrument",
    "instrument": "perfkit.capture.instrument",
    "guard": "perfkit.capture",
    "register_cost": "perfkit.costs._index",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'perfkit' has no attribute {name!r}")
    if name == "guard":
        return importlib.import_module("perfkit.capture.guard")
    return getattr(importlib.import_module(_WHERE[name]), name)


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext perfkit` calls: the magics `%%perfkit` and `%perfkit_line`."""
    from perfkit.cli._surface import profile
    from perfkit.integrations.notebook.magics import load

    load(shell, profile)


def __dir__() -> list[str]:
    return [*globals(), *__all__]

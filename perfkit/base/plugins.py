"""The one plug-in law: file `x.py` in a plug-in room defines `x`; `_x.py` is machinery.

`ls perfkit/rules` is the list of rules. There is no registry to extend and no decorator to forget.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from perfkit.base.errors import PerfkitError


def names(room: str) -> list[str]:
    """Names of the plug-ins in the package `room` (dotted), sorted; imports only the package itself."""
    package = importlib.import_module(room)
    found = (m.name for m in pkgutil.iter_modules(package.__path__))
    return sorted(name for name in found if not name.startswith("_"))


def module(room: str, name: str) -> ModuleType:
    """The module of one plug-in.

    Raises:
        PerfkitError: no such plug-in; the message lists those there are.
    """
    if name not in names(room):
        raise PerfkitError(
            f"there is no {name!r} in {room}", f"there are: {', '.join(names(room))}"
        )
    return importlib.import_module(f"{room}.{name}")


def modules(room: str) -> dict[str, ModuleType]:
    """Every plug-in module of a room, by name."""
    return {name: module(room, name) for name in names(room)}

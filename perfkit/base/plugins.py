"""The one plug-in law: file `x.py` in a plug-in room defines `x`; `_x.py` is machinery.

`ls perfkit/rules` is the list of rules. There is no registry to extend and no decorator to forget.
Installed packages add to the rooms in `OPEN` by an entry point whose group is the room's name:

    [project.entry-points."perfkit.rules"]
    slow_thing = "my_package.slow_thing"    # a module that obeys the law: it defines `slow_thing`

A name that perfkit itself uses stays perfkit's.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from perfkit.base.errors import PerfkitError

OPEN = frozenset({"perfkit.rules", "perfkit.rewrites"})
"""Other rooms are looked at when the command line starts, or are read as source."""


def names(room: str) -> list[str]:
    """Names of the plug-ins in the package `room` (dotted), sorted; imports only the package itself."""
    return sorted(_shipped(room) | _added(room).keys())


def module(room: str, name: str) -> ModuleType:
    """The module of one plug-in.

    Raises:
        PerfkitError: no such plug-in; the message lists those there are. Or one of another package
            that cannot be imported, or breaks the law.
    """
    if name in _shipped(room):
        return importlib.import_module(f"{room}.{name}")
    added = _added(room).get(name)
    if added is not None:
        return _loaded(added)
    raise PerfkitError(f"there is no {name!r} in {room}", f"there are: {', '.join(names(room))}")


def modules(room: str) -> dict[str, ModuleType]:
    """Every plug-in module of a room, by name."""
    return {name: module(room, name) for name in names(room)}


def _shipped(room: str) -> frozenset[str]:
    return _files(tuple(importlib.import_module(room).__path__))


@lru_cache(maxsize=32)
def _files(path: tuple[str, ...]) -> frozenset[str]:
    found = (m.name for m in pkgutil.iter_modules(path))
    return frozenset(name for name in found if not name.startswith("_"))


def _added(room: str) -> dict[str, EntryPoint]:
    """What installed packages add, by name."""
    return _entry_points(room, tuple(sys.path)) if room in OPEN else {}


@lru_cache(maxsize=8)
def _entry_points(room: str, path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """`path` is where packages are looked for: a notebook may add to it."""
    return {point.name: point for point in entry_points(group=room)}


def _loaded(point: EntryPoint) -> ModuleType:
    package = point.dist.name if point.dist is not None else point.value
    try:
        found = importlib.import_module(point.value)
    except (ImportError, SyntaxError) as error:
        raise PerfkitError(
            f"the plug-in {point.name!r} of the package {package} cannot be imported: {error}",
            f"mend {point.value}, or uninstall the package: pip uninstall {package}",
        ) from error
    if not hasattr(found, point.name):
        raise PerfkitError(
            f"the plug-in {point.name!r} of the package {package} is not there: "
            f"{point.value} does not define {point.name}",
            f"name the module after what it defines, or uninstall: pip uninstall {package}",
        )
    return found

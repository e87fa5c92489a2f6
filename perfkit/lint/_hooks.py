"""Which check listens to what, as look-up tables built once from the files of this room.

A check `x.py` has `CODE`, `TITLE`, `KIND`, `FIX`, examples, and any of

    METHODS and `method(site)`      calls of methods with these names
    FUNCTIONS and `function(site)`  calls of functions with these dotted names; "name.*" for a prefix
    `truth(site)`                   a tensor whose truth Python asks for
    `read(site)`, `write(site)`     brackets
    `shown(site)`                   a tensor formatted as text
    `loop(site)`                    the end of a `for` loop
    `timed(site)`                   a difference of two clock readings
    `number(site)`                  a tensor where Python wants a number
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from types import ModuleType

from perfkit.base import plugins

ROOM = "perfkit.lint"
EVENTS = ("truth", "read", "write", "shown", "loop", "timed", "number")
Checks = tuple[object, ...]


@dataclass
class Hooks:
    """Checks by what they listen to."""

    methods: dict[str, Checks] = field(default_factory=dict)
    functions: dict[str, Checks] = field(default_factory=dict)
    prefixes: dict[str, Checks] = field(default_factory=dict)
    events: dict[str, Checks] = field(default_factory=dict)

    def of_function(self, name: str) -> Checks:
        """The checks that listen to a function's calls."""
        found = self.functions.get(name, ())
        for prefix, checks in self.prefixes.items():
            if name.startswith(prefix):
                found += checks
        return found


@cache
def checks() -> dict[str, ModuleType]:
    """Every check by name."""
    return plugins.modules(ROOM)


@cache
def by_code() -> dict[str, str]:
    """Name of each check by code."""
    return {module.CODE: name for name, module in checks().items()}


@cache
def hooks(chosen: frozenset[str] | None = None) -> Hooks:
    """The tables for the chosen codes; for all where None is given."""
    table = Hooks(events=dict.fromkeys(EVENTS, ()))
    for module in checks().values():
        if chosen is not None and module.CODE not in chosen:
            continue
        for name in getattr(module, "METHODS", ()):
            table.methods[name] = (*table.methods.get(name, ()), module)
        for name in getattr(module, "FUNCTIONS", ()):
            where = table.prefixes if name.endswith("*") else table.functions
            key = name.rstrip("*")
            where[key] = (*where.get(key, ()), module)
        for event in EVENTS:
            if hasattr(module, event):
                table.events[event] = (*table.events[event], module)
    return table

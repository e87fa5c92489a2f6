"""Replacing attributes of other people's modules and classes, and putting all of them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_ABSENT = object()


class Patches:
    """Attribute replacements that `undo` takes back in reverse order."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Replace `owner.name`; on undo the old value returns, or the attribute goes if it was inherited."""
        old = vars(owner).get(name, _ABSENT)
        setattr(owner, name, value)
        if old is _ABSENT:
            self._undo.append(lambda: delattr(owner, name))
        else:
            self._undo.append(lambda: setattr(owner, name, old))

    def set_if_there(self, owner: Any, name: str, value: Any) -> None:
        """Replace only what this version of torch has."""
        if hasattr(owner, name):
            self.set(owner, name, value)

    def then(self, action: Callable[[], None]) -> None:
        """Something else to do on undo."""
        self._undo.append(action)

    def undo(self) -> None:
        while self._undo:
            self._undo.pop()()

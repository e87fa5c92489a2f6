"""Workflow commands: lines on stdout that GitHub shows beside the changed code.

Escaping as the runner undoes it (actions/toolkit, `command.ts`): percent and line ends everywhere, in
properties `,` and `:` too.
"""

from __future__ import annotations

from typing import Literal

Level = Literal["error", "warning", "notice"]


def annotation(level: Level, text: str, **properties: str | int) -> str:
    """One command with its line end; `properties` are `file`, `line`, `title` and so on."""
    named = ",".join(f"{name}={_escaped(str(value), ',:')}" for name, value in properties.items())
    return f"::{level} {named}::{_escaped(text)}\n"


def _escaped(words: str, more: str = "") -> str:
    """Half of a surrogate pair, which a file's name may hold, is no UTF-8."""
    words = words.encode(errors="replace").decode()
    for character in "%\r\n" + more:
        words = words.replace(character, f"%{ord(character):02X}")
    return words

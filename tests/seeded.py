"""Source that exists in no file: seeded into `linecache`, where all of our code reads from."""

from __future__ import annotations

import linecache
import textwrap

from perfkit.model.syncs import Frame


def seeded(name: str, text: str) -> str:
    """The name under which this source can now be read; give each text a name of its own."""
    lines = textwrap.dedent(text).strip().splitlines(keepends=True)
    linecache.cache[name] = (len(text), None, lines, name)
    return name


def at(file: str, text: str, function: str = "forward") -> Frame:
    """The frame of the line that holds `text`."""
    lines = linecache.getlines(file)
    return Frame(file, next(i for i, line in enumerate(lines, start=1) if text in line), function)

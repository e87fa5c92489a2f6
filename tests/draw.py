"""Runs drawn as pictures: one character is one microsecond.

    run = draw('''
        step  www.bbbb.bbbb.dddd.dddd
        sync  i.............ii...i...
    ''', i=item("model.py", 88))

`step`: w warm-up, b bare, l light, d deep, a after; `.` and a change of letter end a step.
`sync`: each letter is one count of the `Sync` passed under that name, in the step it falls into;
before the first step it is set-up, behind the last one it belongs to a step that never ended.
Several `sync` rows may be drawn. Other fields of the run come as keywords.
"""

from __future__ import annotations

import textwrap
from dataclasses import fields, replace
from itertools import groupby
from typing import Any

from perfkit.model.run import Instrument, Run, Step
from perfkit.model.syncs import Frame, Sync

US = 1_000
_INSTRUMENTS: dict[str, Instrument] = {
    "w": "warm-up",
    "b": "bare",
    "l": "light",
    "d": "deep",
    "a": "after",
}
_RUN_FIELDS = {field.name for field in fields(Run)}


def draw(picture: str, **named: Any) -> Run:
    """The run in the picture; keywords are legend letters (`Sync`) or fields of `Run`."""
    steps: tuple[Step, ...] = ()
    syncs: list[Sync] = []
    for line in textwrap.dedent(picture).strip().splitlines():
        row, _, cells = line.partition("  ")
        cells = cells.strip()
        if row == "step":
            steps = _steps(cells)
        elif row == "sync":
            syncs += [_at(named[c], i, steps) for i, c in enumerate(cells) if c != "."]
        else:
            raise ValueError(f"no such row: {row!r}")
    about = {key: value for key, value in named.items() if key in _RUN_FIELDS}
    return replace(Run(name="drawn", steps=steps, syncs=tuple(syncs)), **about)


def item(file: str = "model.py", line: int = 88, **changes: Any) -> Sync:
    """One `.item()`-like read; keywords change any other field."""
    sync = Sync(
        op="aten::_local_scalar_dense",
        kind="item",
        direction="d2h",
        phase="forward",
        stack=(Frame(file, line, "forward"),),
        step=None,
        count=1,
        fix="Keep the value on the device",
        seen_by=("dispatch",),
    )
    return replace(sync, **changes)


def copy(file: str = "train.py", line: int = 31, nbytes: int | None = 4096, **changes: Any) -> Sync:
    """One blocking host-to-device copy."""
    return item(
        file,
        line,
        **{
            "op": "aten::_to_copy",
            "kind": "h2d",
            "direction": "h2d",
            "phase": "other",
            "nbytes": nbytes,
            "fix": "Pin the memory",
            **changes,
        },
    )


def _steps(cells: str) -> tuple[Step, ...]:
    found, at = [], 0
    for letter, group in groupby(cells):
        width = len(list(group))
        if letter != ".":
            found.append(Step(len(found), _INSTRUMENTS[letter], at * US, (at + width) * US))
        at += width
    return tuple(found)


def _at(sync: Sync, position: int, steps: tuple[Step, ...]) -> Sync:
    started = [step for step in steps if step.start_ns <= position * US]
    if not started:
        return replace(sync, step=None)
    last = started[-1]
    ended = position * US >= last.end_ns
    return replace(sync, step=last.index + 1 if ended else last.index)

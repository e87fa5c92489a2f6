"""The commands that apply a fix, prove it and measure it, as they are typed."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

_VALUED = frozenset(
    (
        *("--out", "--report", "--device", "--steps", "--warmup", "--max-seconds", "--max-bytes"),
        *("--region", "--sample-hz", "--capture-inputs", "--capture-bytes"),
    )
)
_DROPPED = frozenset(("--out", "--report", "--capture-inputs", "--capture-bytes"))
_QUIET = frozenset(("--json", "--open", "--no-report", "-q", "--quiet"))


def shown(file: str, folder: Path) -> str:
    """A file as it is typed in a folder: relative where it lies below."""
    try:
        return Path(file).relative_to(folder).as_posix()
    except ValueError:
        return file


def fix(fixes: Sequence[str], safe: bool, place: str, *options: str) -> str:
    """`perfkit fix --unsafe --select expert_loop model.py:100`, with options first."""
    unsafe = () if safe else ("--unsafe",)
    words = ("perfkit", "fix", *options, *unsafe, "--select", ",".join(fixes), place)
    return shlex.join(words)


def capture(command: str, functions: Sequence[str], run: str) -> str | None:
    """The command that ran, once more, keeping the arguments of functions; None for another command."""
    words = _profiled(command)
    if words is None:
        return None
    names = [word for name in functions for word in ("--capture-inputs", name)]
    return shlex.join(("perfkit", "profile", "--out", inputs_folder(run), *names, *words))


def again(command: str) -> str | None:
    """The command that ran, for a new run; None for another command."""
    words = _profiled(command)
    return None if words is None else shlex.join(("perfkit", "profile", *words))


def inputs_folder(run: str) -> str:
    """Where the run with the captured arguments goes."""
    return os.path.join("profiles", f"{run}-inputs")


def _profiled(command: str) -> list[str] | None:
    """The words behind `perfkit profile`, without those that say where its results go."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if len(words) < 3 or words[:2] != ["perfkit", "profile"]:
        return None
    kept, position = [], 2
    while position < len(words) and words[position].startswith("-") and words[position] != "-m":
        word = words[position]
        name, _, value = word.partition("=")
        size = 2 if name in _VALUED and not value else 1
        if name not in _DROPPED and name not in _QUIET:
            kept += words[position : position + size]
        position += size
    return [*kept, *words[position:]]

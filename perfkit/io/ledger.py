"""The experiment ledger: what was expected, and what came out. Lines of JSON, only ever appended.

A failed idea is worth as much as a good one, so nothing is replaced: each line is written whole and
synced, and a line that a killed process cut in half is skipped on reading and left where it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfkit.base.errors import PerfkitError

SCHEMA = "perfkit.ledger/1"


@dataclass(frozen=True)
class Ledger:
    """Entries in the order they were written; `broken` lines could not be read."""

    entries: tuple[dict[str, Any], ...]
    broken: int


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """Add one entry.

    Raises:
        PerfkitError: the file cannot be written.
    """
    line = json.dumps({"schema": SCHEMA, **entry}, ensure_ascii=False, sort_keys=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if _is_cut(file):
                line = "\n" + line  # what a killed writer left behind must not swallow this entry
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise PerfkitError(
            f"cannot write {path}: {error.strerror}", "choose another place with --ledger FILE"
        ) from error


def read(path: Path) -> Ledger:
    """All entries of a ledger; an absent file is an empty one.

    Raises:
        PerfkitError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return Ledger((), 0)
    except OSError as error:
        raise PerfkitError(f"cannot read {path}: {error.strerror}", "name a file") from error
    entries, broken = [], 0
    for line in filter(str.strip, text.split("\n")):
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if isinstance(entry, dict):
            entries.append(entry)
        else:
            broken += 1
    return Ledger(tuple(entries), broken)


def _is_cut(file: Any) -> bool:
    file.seek(0, os.SEEK_END)
    if file.tell() == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) != b"\n")

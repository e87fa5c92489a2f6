"""Which files are looked at, and how a changed one is written."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from perfkit.base.errors import PerfkitError
from perfkit.base.files import replacing

_LEFT_OUT = frozenset(("__pycache__", "node_modules", "build", "dist", "venv", "site-packages"))


def python_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Files named, and those ending in .py below folders named; hidden and built folders left out.

    Raises:
        PerfkitError: a path that is not there.
    """
    for path in paths:
        if path.is_dir():
            yield from _below(path)
        elif path.is_file():
            yield path
        else:
            raise PerfkitError(f"{path} is not there", "name a Python file or a folder of them")


def places(paths: Iterable[Path]) -> Iterator[tuple[Path, tuple[int, ...]]]:
    """Files as `python_files` gives them, with the line where one was named: `model.py:100`.

    Raises:
        PerfkitError: a path that is not there.
    """
    for path in paths:
        file, _, line = path.name.rpartition(":")
        if line.isdigit() and file and not path.exists():
            (named,) = python_files([path.with_name(file)])
            yield named, (int(line),)
        else:
            yield from ((found, ()) for found in python_files([path]))


def _below(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(n for n in folders if n not in _LEFT_OUT and not n.startswith("."))
        yield from (Path(where) / name for name in sorted(names) if name.endswith(".py"))


def read(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        PerfkitError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise PerfkitError(f"cannot read {path}: {error.strerror}", "check its rights") from error


def write(path: Path, data: bytes) -> None:
    """Replace a file's content in one step; rights are kept, a link stays a link.

    Raises:
        PerfkitError: the folder cannot be written.
    """
    target = path.resolve()
    rights = stat.S_IMODE(target.stat().st_mode)
    with replacing(target) as temporary:
        temporary.write_bytes(data)
    target.chmod(rights)

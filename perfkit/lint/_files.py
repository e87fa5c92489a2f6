"""From paths to texts: which files, in which encoding, and which cells of a notebook."""

from __future__ import annotations

import io
import json
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from perfkit.base.errors import PerfkitError
from perfkit.lint._settings import SKIPPED

_SUFFIXES = (".py", ".ipynb")
_BYTES = 5_000_000
"""A larger file was not written by people."""


@dataclass(frozen=True)
class Unreadable:
    """A file that could not be read as Python, where and why."""

    line: int
    column: int
    reason: str


def files(paths: Sequence[Path], exclude: Sequence[str]) -> Iterator[Path]:
    """Python files and notebooks under the paths, sorted, each once.

    Raises:
        PerfkitError: a path that does not exist.
    """
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise PerfkitError(f"there is no {path}")
        found = _under(path, exclude) if path.is_dir() else iter((path,))
        for file in found:
            if file not in seen:
                seen.add(file)
                yield file


def _under(folder: Path, exclude: Sequence[str]) -> Iterator[Path]:
    try:
        inside = sorted(folder.iterdir())
    except PermissionError:
        return
    for path in inside:
        if path.name in SKIPPED or any(
            fnmatch(path.name, pattern) or fnmatch(path.as_posix(), pattern) for pattern in exclude
        ):
            continue
        if path.is_symlink() and path.is_dir():
            continue
        if path.is_dir():
            yield from _under(path, exclude)
        elif path.suffix in _SUFFIXES and path.is_file():
            yield path


def text_of(path: Path) -> str | Unreadable:
    """A file's text, decoded as its own first lines say; a notebook's code cells one after the other."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return Unreadable(1, 1, f"cannot be read: {error.strerror}")
    if len(data) > _BYTES:
        return Unreadable(1, 1, f"is larger than {_BYTES // 1_000_000} MB and was left out")
    if path.suffix == ".ipynb":
        return notebook(data)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        return Unreadable(1, 1, f"cannot be decoded: {error}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def notebook(data: bytes) -> str | Unreadable:
    """The code cells of a notebook as one text; magics become `pass`, so that lines keep their count."""
    try:
        cells = json.loads(data.decode("utf-8"))["cells"]
        sources = [c["source"] for c in cells if c["cell_type"] == "code"]
        joined = ["".join(source) for source in sources]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return Unreadable(1, 1, f"is no notebook: {error}")
    return "\n".join(_without_magics(text) for text in joined) + "\n"


def _without_magics(text: str) -> str:
    if text.startswith("%%"):
        return "\n".join("" for _ in text.split("\n"))
    lines = []
    for line in text.split("\n"):
        bare = line.lstrip()
        indent = line[: len(line) - len(bare)]
        lines.append(f"{indent}pass" if bare.startswith(("%", "!")) else line)
    return "\n".join(lines)

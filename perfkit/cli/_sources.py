"""Which traces the user means: files, folders, globs and URLs, in order and each once."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from perfkit.base.errors import PerfkitError
from perfkit.cli._options import named_run

_TRACE = re.compile(r".+\.json(\.gz)?$")
_KINETO = re.compile(r".+\.pt\.trace\.json(\.gz)?$")
_OURS = {"run.json", "syncs.json", "diagnosis.json", "kineto.json.gz"}
_ORIGINAL = "kineto.json.gz"


@dataclass(frozen=True)
class Source:
    """A run directory, or a trace of anyone's; `trace` is None where a run has none."""

    directory: Path | None
    trace: Path | None

    def require_trace(self) -> Path:
        """The trace.

        Raises:
            PerfkitError: the run has none.
        """
        if self.trace is None:
            raise PerfkitError(
                f"the run in {self.directory} has no trace",
                "name a trace file, or a run that was recorded with one",
            )
        return self.trace


def traces(sources: Iterable[str]) -> list[str]:
    """The traces behind what was named on the command line.

    Raises:
        PerfkitError: something named does not exist, or holds no trace.
    """
    found: dict[str, None] = {}
    for source in sources:
        for path in _expanded(source):
            found.setdefault(path)
    return list(found)


def one_source(source: Path) -> Source:
    """The run directory or trace that was named; a run under profiles/ by its name alone, too.

    Raises:
        PerfkitError: there is none, or more than one trace.
    """
    source = named_run(source)
    if source.is_file():
        return Source(None, source)
    if not source.is_dir():
        raise PerfkitError(
            f"{source} does not exist", "name a run under profiles/, or a trace file"
        )
    if not (source / "run.json").is_file():
        found = traces([str(source)])
        if len(found) > 1:
            raise PerfkitError(f"{source} holds {len(found)} traces", f"name one: {found[0]}")
        return Source(None, Path(found[0]))
    from perfkit.io.rundir import load

    run = load(source)
    original = source / _ORIGINAL
    if original.is_file():
        return Source(source, original)
    return Source(source, None if run.trace is None else source / run.trace)


def _expanded(source: str) -> Iterator[str]:
    path = Path(source)
    if "://" in source or path.is_file():
        yield source
    elif path.is_dir():
        yield from _in_folder(path)
    elif names := sorted(
        name for name in glob.glob(source, recursive=True) if Path(name).is_file()
    ):
        yield from names
    else:
        raise PerfkitError(
            f"{source} does not exist", "name trace files, a folder of them, a glob or a URL"
        )


def _in_folder(folder: Path) -> list[str]:
    """Kineto's own names where there are any, so that other JSON beside them is left alone."""
    files = sorted(f for f in folder.rglob("*.json*") if f.is_file() and f.name not in _OURS)
    files = [file for file in files if _TRACE.match(file.name) and not file.name.startswith(".")]
    marked = [file for file in files if _KINETO.match(file.name)]
    if not files:
        raise PerfkitError(f"there is no trace in {folder}", "a trace ends in .json or .json.gz")
    return [str(file) for file in marked or files]

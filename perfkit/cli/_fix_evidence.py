"""`perfkit fix --run`: what a run saw at the lines of files that are still what ran."""

from __future__ import annotations

from pathlib import Path

import click

from perfkit.cli._conclude import source_of
from perfkit.fixes import _seen
from perfkit.io.rundir import load
from perfkit.model.costs import OpCost


class Evidence:
    """The counted operators of a run.

    Raises:
        PerfkitError: no run there.
    """

    def __init__(self, run: Path) -> None:
        self._run = load(run)
        self._read = source_of(self._run)

    def of(self, path: Path) -> dict[int, list[OpCost]] | None:
        """Rows by line; None, and a word on stderr, where the run does not speak for the file."""
        file = str(path.resolve())
        rows = _seen.by_line(self._run.costs, file)
        source = self._read(file)
        why = source if isinstance(source, str) else "" if rows else "it counted nothing there"
        if why:
            click.echo(f"{path}: nothing of the run {self._run.name} is used: {why}", err=True)
            return None
        return rows

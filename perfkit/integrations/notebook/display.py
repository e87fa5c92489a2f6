"""How a notebook shows what perfkit makes: HTML, and readable text where there is none.

The formatters are IPython's; `perfkit.model` knows nothing of them.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perfkit.model.diagnosis import Diagnosis, Finding
from perfkit.model.run import Run
from perfkit.model.table import Table
from perfkit.report import fragment, terminal

_WIDTH = 100


def register(shell: Any) -> None:
    """Teach the shell; may be called again."""
    formatters = shell.display_formatter.formatters
    for shown, markup, text in _SHOWN:
        formatters["text/html"].for_type(shown, markup)
        formatters["text/plain"].for_type(shown, _printer(text))


class Conclusion:
    """A diagnosis and where its run is: what a measured cell shows."""

    def __init__(self, diagnosis: Diagnosis, run: Run) -> None:
        self.diagnosis, self.run = diagnosis, run

    def _repr_html_(self) -> str:
        return fragment.render(self.diagnosis, _folder(self.run))

    def __repr__(self) -> str:
        return f"{_diagnosis_text(self.diagnosis)}\n{'Run':<11}{_folder(self.run)}"


def _printer(text: Callable[[Any], str]) -> Callable[[Any, Any, bool], None]:
    return lambda shown, printer, cycle: printer.text(text(shown))


def _folder(run: Run) -> str:
    """Where the run is, as short as one can type it here."""
    if run.directory is None:
        return "not kept"
    inside = Path(run.directory).is_relative_to(Path.cwd())
    return os.path.relpath(run.directory) if inside else str(run.directory)


def _diagnosis_text(diagnosis: Diagnosis) -> str:
    from rich.console import Console

    stream = io.StringIO()
    terminal.render(
        diagnosis, Console(file=stream, width=_WIDTH, color_system=None, force_jupyter=False)
    )
    return stream.getvalue().rstrip()


def _facts(run: Run) -> Table:
    """What a run is, in a few lines."""
    from perfkit.model.table import Column

    counts = {
        name: len(run.steps_measured(name))
        for name in ("warm-up", "bare", "light", "deep", "after")
    }
    steps = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    rows = (
        ("run", run.name),
        ("device", run.device),
        ("step", run.step_marker),
        ("steps", steps or "none"),
        ("synchronisations seen", str(sum(sync.count for sync in run.syncs))),
        ("program", run.ended),
        ("kept in", _folder(run)),
    )
    return Table((Column("what"), Column("value")), rows)


def _run_text(run: Run) -> str:
    return "\n".join(f"{row[0]:<22} {row[1]}" for row in _facts(run).rows)


def _table_text(table: Table) -> str:
    return str(table.frame().to_string(max_rows=20))


def _finding_text(finding: Finding) -> str:
    place = finding.place
    where = f"{Path(place.file).name}:{place.line}" if place else "the whole step"
    lines = (f"{where}: {finding.title}", finding.code, finding.fix)
    return "\n".join(line for line in lines if line)


_SHOWN: tuple[tuple[type, Callable[[Any], str], Callable[[Any], str]], ...] = (
    (Diagnosis, fragment.render, _diagnosis_text),
    (Finding, fragment.finding, _finding_text),
    (Table, fragment.table, _table_text),
    (Run, lambda run: fragment.table(_facts(run)), _run_text),
)

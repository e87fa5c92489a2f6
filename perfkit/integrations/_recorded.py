"""A recorded run as trackers of experiments take it: numbers, facts and two files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from perfkit.base.files import write_text
from perfkit.cli.report import read
from perfkit.integrations._numbers import numbers
from perfkit.io.launch import rank_folders
from perfkit.io.rundir import load
from perfkit.model.diagnosis import Diagnosis


@dataclass(frozen=True)
class Recorded:
    """What there is to track.

    Attributes:
        name: of the run.
        metrics: as `numbers`; of a launch of several ranks those of the rank shown in detail.
        facts: the verdict and what a step is, for people.
        files: `diagnosis.json` and the page.
    """

    name: str
    metrics: dict[str, float]
    facts: dict[str, str]
    files: tuple[Path, ...]


@contextmanager
def recorded(directory: str | Path) -> Iterator[Recorded]:
    """A run, or a launch of several ranks; its files exist inside the block.

    Raises:
        PerfkitError: there is no run, or it does not open.
    """
    path = Path(directory)
    diagnosis = read(path)
    run = load(_in_detail(path, diagnosis))
    with tempfile.TemporaryDirectory(prefix="perfkit-") as folder:
        yield Recorded(
            name=diagnosis.run,
            metrics=numbers(run, diagnosis),
            facts={
                "perfkit.what": diagnosis.verdict.what,
                "perfkit.why": diagnosis.verdict.why,
                "perfkit.next": diagnosis.verdict.next,
                "perfkit.step": run.step_marker,
                "perfkit.device": run.device,
            },
            files=_files(diagnosis, Path(folder)),
        )


def _in_detail(path: Path, diagnosis: Diagnosis) -> Path:
    if (path / "run.json").exists():
        return path
    shown = path / f"rank{diagnosis.facts.get('rank in detail', 0)}"
    return shown if shown.is_dir() else next(iter(rank_folders(path)), path)


def _files(diagnosis: Diagnosis, folder: Path) -> tuple[Path, ...]:
    from perfkit.report.html import render

    document, page = folder / "diagnosis.json", folder / "perfkit.html"
    write_text(document, json.dumps(diagnosis.to_json(), indent=1) + "\n")
    write_text(page, render(diagnosis))
    return document, page

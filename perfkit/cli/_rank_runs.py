"""The ranks of one launch: each writes and judges a run of its own, the last one to end joins them.

No rank waits for another: one that never ends, or dies, holds up nobody, and `perfkit report LAUNCH`
joins what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from perfkit.base.errors import NotObservable, PerfkitError
from perfkit.base.files import write_text
from perfkit.cli._conclude import conclude, judged
from perfkit.cli._ranks import analyze_ranks
from perfkit.io.launch import Rank, rank_folders
from perfkit.io.rundir import RunDirectory, load, load_diagnosis, save_diagnosis
from perfkit.io.trace_cache import cached_trace
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.run import Run
from perfkit.rules import with_ranks

_JUDGED = "diagnosis.json"


def conclude_capture(
    run: Run, directory: RunDirectory, report: Path | None, folder: Path | None = None
) -> tuple[Diagnosis, Diagnosis | None]:
    """Judge a run that was just captured; of several ranks the last one judges them all.

    Args:
        report: where the page goes, of all ranks together where there are several.
        folder: as `conclude`.

    Returns:
        This process's own diagnosis; and the one to show, None where that is another rank's to do.

    Raises:
        PerfkitError: something cannot be written.
    """
    if directory.rank is None:
        own = conclude(run, report, folder)
        return own, own
    own = conclude(run, None, folder)
    return own, _of_all(directory.launch, directory.rank, report)


def joined(launch: Path) -> Diagnosis:
    """What the ranks of a launch say together: the rank that holds up the others in full, and beside it all.

    Raises:
        PerfkitError: there is no run of a rank in `launch`, or one does not open.
    """
    runs = [load(folder) for folder in rank_folders(launch)]
    if not runs:
        raise PerfkitError(f"there is no run in {launch}", "name what perfkit profile wrote")
    traces = {str(run.directory / run.trace): run for run in runs if run.directory and run.trace}
    untraced = tuple(f"{run.name}: it has no trace" for run in runs if run.trace is None)
    try:
        with ThreadPoolExecutor(1) as here:
            many = analyze_ranks(list(traces), here, cached_trace)
    except (PerfkitError, NotObservable) as reason:
        return _one_for_all(launch, runs, str(reason))
    own = _own(traces[many.worst])
    gaps = (*untraced, *many.gaps)
    return with_ranks(own, many.found, gaps, launch.name, many.worst_rank)


def _of_all(launch: Path, rank: Rank, report: Path | None) -> Diagnosis | None:
    """The joint diagnosis, written, where every rank has ended and no other is at it."""
    # Before asking to be alone: else the last one could be sent away by one that finds too few.
    if sum((folder / _JUDGED).exists() for folder in rank_folders(launch)) < rank.world:
        return None
    with _alone(launch) as alone:
        if not alone or (launch / _JUDGED).exists():
            return None
        found = joined(launch)
        save_diagnosis(launch, found)
    if report is not None:
        from perfkit.report.html import render

        write_text(report, render(found))
    return found


@contextmanager
def _alone(launch: Path) -> Iterator[bool]:
    """Whether no other rank is inside this block now; with two of them at once, exactly one is not."""
    mark = launch / ".joining"
    try:
        mark.open("x").close()
    except FileExistsError:
        yield False
        return
    try:
        yield True
    finally:
        mark.unlink(missing_ok=True)


def _one_for_all(launch: Path, runs: list[Run], why: str) -> Diagnosis:
    """The first rank's diagnosis under the launch's name, where the ranks cannot be compared."""
    own = _own(runs[0])
    told = (f"comparison of the {len(runs)} ranks: {why}", f"details: they are of {runs[0].name}")
    coverage = replace(own.coverage, gaps=(*told, *own.coverage.gaps))
    return replace(own, run=launch.name, coverage=coverage)


def _own(run: Run) -> Diagnosis:
    if run.directory is not None and (run.directory / _JUDGED).exists():
        return load_diagnosis(run.directory)
    return judged(run)

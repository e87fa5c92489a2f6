"""The runs below a log directory, and what the tab lists of each.

A name is a path relative to the log directory, as TensorBoard names its own runs. It is only ever looked
up among the runs found there, so no name can lead elsewhere.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from perfkit.base.errors import PerfkitError
from perfkit.io.rundir import load, load_diagnosis
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell

RUN, DIAGNOSIS = "run.json", "diagnosis.json"
MOST = 500
"""Runs that one page lists, the newest."""

_TRACE = re.compile(r".+\.pt\.trace\.json(\.gz)?$")
_DATED = re.compile(r"-(\d{8}-\d{6})(?!\d)")
_NO_SYNCS = "the synchronisation points"
_TRUSTED = ("bare", "light", "deep")

Stamp = tuple[int, int]


def run_folders(logdir: Path) -> Iterator[tuple[str, Path]]:
    """Names and folders of the runs in `logdir` and below; hidden folders and links are not entered."""
    for place, folders, files in os.walk(logdir):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if RUN in files or DIAGNOSIS in files:
            folder = Path(place)
            name = os.fsencode(folder.relative_to(logdir).as_posix())
            yield name.decode("utf-8", "replace"), folder  # a name may be no text at all


def stamp(folder: Path) -> Stamp:
    """Changes when the diagnosis does, or what it would be made from; zeros where neither is there."""
    for name in (DIAGNOSIS, RUN):
        try:
            found = (folder / name).stat()
        except OSError:
            continue
        return found.st_mtime_ns, found.st_size
    return 0, 0


def diagnosis_of(folder: Path) -> Diagnosis:
    """The diagnosis of the run in `folder`; made from what was recorded where the capture left none.

    Raises:
        PerfkitError: neither of them opens.
    """
    if (folder / DIAGNOSIS).exists():
        return load_diagnosis(folder)
    from perfkit.rules import diagnose

    return diagnose(load(folder))


class Listing:
    """What the tab lists of each run; a diagnosis is read again only when its file changed."""

    def __init__(self, logdir: Path) -> None:
        self._logdir = logdir
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Stamp, dict[str, Any]]] = {}

    def any(self) -> bool:
        return next(run_folders(self._logdir), None) is not None

    def folder(self, name: str) -> Path | None:
        """The folder of the run of this name; None where no run has it."""
        return next((path for found, path in run_folders(self._logdir) if found == name), None)

    def rows(self) -> dict[str, Any]:
        """`{"runs": [...], "left_out": n}`, oldest first."""
        dated = sorted((_when(path), name, path) for name, path in run_folders(self._logdir))
        shown = dated[-MOST:]
        with self._lock:
            runs = [self._row(name, path, when) for when, name, path in shown]
            self._known = {name: self._known[name] for _, name, _ in shown}
        return {"runs": runs, "left_out": len(dated) - len(shown)}

    def _row(self, name: str, folder: Path, when: float) -> dict[str, Any]:
        now = stamp(folder)
        known = self._known.get(name)
        if known is None or known[0] != now:
            known = now, _told(folder)
            self._known[name] = known
        title = folder.resolve().name if name == "." else name
        return {"name": name, "title": title, "when": when, "trace": _trace(folder), **known[1]}


def _told(folder: Path) -> dict[str, Any]:
    """What the diagnosis says, or why it says nothing."""
    try:
        return _summary(diagnosis_of(folder))
    except PerfkitError as error:
        return {"problem": str(error)}


def _summary(diagnosis: Diagnosis) -> dict[str, Any]:
    device = str(diagnosis.facts.get("device", "unknown device"))
    program = _program(str(diagnosis.facts.get("command", "")), diagnosis.run)
    return {
        "problem": None,
        "device": device,
        "program": program,
        "what": diagnosis.verdict.what,
        "step_ns": _step_ns(diagnosis),
        "waits": _per_step(diagnosis, "host-wait-in-step"),
        "copies": _per_step(diagnosis, "blocking-copies"),
        "launches": diagnosis.facts.get("launches per step"),
        "findings": sum(len(outcome.findings) for outcome in diagnosis.outcomes),
    }


def _step_ns(diagnosis: Diagnosis) -> int | None:
    """The least distorted median there is; without the pretence, where what that costs is known."""
    table = diagnosis.tables.get("step_times")
    rows = {row.get("instrument"): row for row in table.records()} if table else {}
    medians = [_number(rows[name].get("median_ns")) for name in _TRUSTED if name in rows]
    pretence = _number(diagnosis.coverage.overhead.get("pretence")) or 1
    return next((round(median / pretence) for median in medians if median is not None), None)


def _per_step(diagnosis: Diagnosis, rule: str) -> float | None:
    """How often per step, all lines together; None where nobody could look."""
    outcome = next((each for each in diagnosis.outcomes if each.rule == rule), None)
    if outcome is None or outcome.state not in ("found", "clear"):
        return None
    if any(gap.startswith(_NO_SYNCS) for gap in diagnosis.coverage.gaps):
        return None
    counts = [_number(finding.evidence.get("per_step")) for finding in outcome.findings]
    return sum(count for count in counts if count is not None)


def _number(value: Cell) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _program(command: str, run: str) -> str:
    """What was profiled, for people: by this runs are put in one row. The run's name without its date
    where the command does not tell."""
    words = command.split()
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word == "-m" and after:
            return after
        if word.endswith(".py"):
            return PurePosixPath(word.replace("\\", "/")).name
    return _DATED.split(run)[0]


def _when(folder: Path) -> float:
    """Seconds since 1970: the date in its name, else when it was saved; 0 where neither is known."""
    dated = _DATED.search(folder.name)
    if dated:
        try:
            return datetime.strptime(dated[1], "%Y%m%d-%H%M%S").timestamp()
        except (ValueError, OverflowError):
            pass  # digits, but no date
    for name in (RUN, DIAGNOSIS):
        try:
            return (folder / name).stat().st_mtime
        except OSError:
            continue
    return 0.0


def _trace(folder: Path) -> bool:
    try:
        return any(_TRACE.match(name) for name in os.listdir(folder))
    except OSError:
        return False

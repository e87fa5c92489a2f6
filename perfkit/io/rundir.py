"""A run on disk: `run.json`, `syncs.json`, the trace and `diagnosis.json` in one directory.

The directory first appears by a rename, its files are replaced whole, and a lock beside it keeps two
processes from writing one run. So an interrupted capture leaves nothing, or a run that opens.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from perfkit.base.errors import PerfkitError
from perfkit.base.files import write_text
from perfkit.io import costs as costs_on_disk
from perfkit.io import samples as on_disk
from perfkit.io.launch import Rank, launch_name, this_rank
from perfkit.model.costs import OpCost
from perfkit.model.diagnosis import Diagnosis
from perfkit.model.gap import LOST_SYNCS
from perfkit.model.run import SCHEMA, Gap, Run
from perfkit.model.syncs import Frame, Sync

SYNCS_SCHEMA = "perfkit.syncs/1"
# fields of Run that are not in run.json
_ELSEWHERE = {"syncs", "directory", "events", "samples", "costs"}


@dataclass
class RunDirectory:
    """A reserved place for one run. Nothing is on disk before the first `write`.

    Attributes:
        rank: which of several ranks writes here; None where the process is alone.
    """

    path: Path
    _lock: Any = field(repr=False, default=None)
    _pid: int = field(repr=False, default_factory=os.getpid)
    rank: Rank | None = None

    @property
    def name(self) -> str:
        """Of the run."""
        return self.path.name if self.rank is None else f"{self.launch.name}-{self.path.name}"

    @property
    def launch(self) -> Path:
        """The folder that all ranks share; the run's own where the process is alone."""
        return self.path if self.rank is None else self.path.parent

    def write(self, run: Run) -> Run:
        """Write (again) everything known so far; returns the run with its directory.

        Raises:
            PerfkitError: the folder cannot be written.
        """
        run = replace(run, directory=self.path)
        try:
            if self.path.is_dir():
                _write_into(self.path, run)
            else:
                with tempfile.TemporaryDirectory(
                    prefix=f".{self.path.name}.", dir=self.path.parent
                ) as temporary:
                    inside = Path(temporary) / "run"
                    inside.mkdir()
                    _write_into(inside, run)
                    inside.rename(self.path)
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        return run

    def release(self) -> None:
        """Give up the lock; the run stays. A forked child holds nothing that it could give up."""
        if self._lock is not None and os.getpid() == self._pid:
            lock, self._lock = self._lock, None
            Path(lock.name).unlink(missing_ok=True)
            lock.close()


@contextmanager
def reserved(path: Path) -> Iterator[RunDirectory]:
    """The right to write the run at `path`, which must not hold one yet.

    Raises:
        PerfkitError: another process is writing there, a run is there already, or no permission.
    """
    directory = _reserve(path)
    try:
        yield directory
    finally:
        directory.release()


@contextmanager
def reserved_by_name(parent: Path, program: str) -> Iterator[RunDirectory]:
    """A new directory `<program>-<date>-<time>` under `parent`; one for all ranks, where there are several.

    Raises:
        PerfkitError: no permission.
    """
    rank, name = this_rank(), _safe(program)
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}" if rank is None else _safe(launch_name(name))
    attempt = 1
    while True:
        path = parent / (stem if attempt == 1 else f"{stem}-{attempt}")
        try:
            directory = _reserve(path if rank is None else path / rank.folder)
            break
        except _TakenError:
            attempt += 1
    directory.rank = rank
    try:
        yield directory
    finally:
        directory.release()


@contextmanager
def reserved_for_capture(out: Path | None, parent: Path, program: str) -> Iterator[RunDirectory]:
    """The directory `out`, or one named after the program; in it this rank's, where there are several.

    Raises:
        PerfkitError: as `reserved` and `reserved_by_name`.
    """
    rank = this_rank()
    if out is None:
        place = reserved_by_name(parent, program)
    else:
        place = reserved(out if rank is None else out / rank.folder)
    with place as directory:
        directory.rank = rank
        yield directory


def save(run: Run, path: Path) -> Run:
    """Write a run to a new directory; returns it with its directory.

    Raises:
        PerfkitError: the directory holds a run already or cannot be written.
    """
    with reserved(path) as directory:
        return directory.write(run)


def load(path: Path) -> Run:
    """Open a run. Damaged parts become gaps.

    Raises:
        PerfkitError: no run there, not readable, or of a schema this version does not know.
    """
    data = _document(path / "run.json")
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        raise PerfkitError(
            f"{path / 'run.json'} is not a {SCHEMA} document (schema: {schema!r})",
            "profile again with this version: perfkit profile SCRIPT",
        )
    try:
        run = msgspec.convert(data, Run)
    except msgspec.ValidationError as error:
        raise PerfkitError(f"{path / 'run.json'} is damaged: {error}", "profile again") from error
    gaps = list(run.gaps)
    try:
        syncs = _syncs(json.loads((path / "syncs.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        syncs = ()
        gaps.append(Gap(LOST_SYNCS, "syncs.json is missing"))
    except (OSError, ValueError, LookupError, TypeError) as error:
        syncs = ()
        gaps.append(Gap(LOST_SYNCS, f"syncs.json is damaged: {error}"))
    try:
        samples = on_disk.read_samples(path / on_disk.FILE)
    except FileNotFoundError:  # nothing was sampled
        samples = ()
    except (OSError, ValueError, LookupError, TypeError) as error:
        samples = ()
        gaps.append(Gap("the samples", f"{on_disk.FILE} is damaged: {error}"))
    costs = _costs(path, run, gaps)
    trace = run.trace
    if trace is not None and not (path / trace).is_file():
        gaps.append(Gap("the trace", f"{trace} is missing"))
        trace = None
    parts: dict[str, Any] = {"syncs": syncs, "samples": samples, "costs": costs, "trace": trace}
    return replace(run, directory=path, gaps=tuple(gaps), events=None, **parts)


def save_diagnosis(path: Path, diagnosis: Diagnosis) -> None:
    """Write `diagnosis.json` into the run directory `path`."""
    write_text(path / "diagnosis.json", json.dumps(diagnosis.to_json(), indent=1) + "\n")


def load_diagnosis(path: Path) -> Diagnosis:
    """Read the `diagnosis.json` of the run directory `path`.

    Raises:
        PerfkitError: there is none, or it does not open.
    """
    data = _document(path / "diagnosis.json")
    if not isinstance(data, dict):
        raise PerfkitError(f"{path / 'diagnosis.json'} is not a diagnosis", "profile again")
    return Diagnosis.from_json(data)


class _TakenError(PerfkitError):
    """Another process holds the directory, or a run is in it."""


def _reserve(path: Path) -> RunDirectory:
    path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = (path.parent / f".{path.name}.lock").open("a")
    except OSError as error:
        raise _cannot_write(path.parent, error) from error
    if not _locked(lock):
        lock.close()
        raise _TakenError(
            f"another process is writing a run to {path}",
            "give every process its own folder: --out profiles/rank$RANK",
        )
    directory = RunDirectory(path, lock)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        directory.release()
        raise _TakenError(
            f"{path} exists already, and runs are never overwritten",
            "choose another --out, one per rank where several processes profile",
        )
    if path.exists():
        path.rmdir()
    return directory


def _locked(lock: Any) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows: an open file cannot be removed, which has to do
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    # Its holder may have removed it between our open and our lock: then ours is nobody's lock.
    try:
        return os.path.samestat(os.stat(lock.name), os.fstat(lock.fileno()))
    except FileNotFoundError:
        return False


def _costs(path: Path, run: Run, gaps: list[Gap]) -> tuple[OpCost, ...]:
    """What operators cost, where steps were costed; a missing or damaged file becomes a gap."""
    if not run.costed_steps:
        return ()
    try:
        return costs_on_disk.read_costs(path / costs_on_disk.FILE)
    except FileNotFoundError:
        gaps.append(Gap("the costs of operators", f"{costs_on_disk.FILE} is missing"))
    except (OSError, ValueError) as error:
        gaps.append(Gap("the costs of operators", f"{costs_on_disk.FILE} is damaged: {error}"))
    return ()


def _write_into(folder: Path, run: Run) -> None:
    if run.costs:
        costs_on_disk.write_costs(folder / costs_on_disk.FILE, run.costs)
    if run.samples:
        on_disk.write_samples(folder / on_disk.FILE, run.samples)
    write_text(folder / "syncs.json", json.dumps(_syncs_document(run.syncs)))
    document = {
        item.name: getattr(run, item.name) for item in fields(Run) if item.name not in _ELSEWHERE
    }
    write_text(folder / "run.json", json.dumps(msgspec.to_builtins(document)) + "\n")


def _syncs_document(syncs: tuple[Sync, ...]) -> dict[str, Any]:
    """Syncs with frames and stacks written once each: stacks are most of the bytes."""
    frames: dict[Frame, int] = {}
    stacks: dict[tuple[Frame, ...], int] = {}
    rows = []
    for sync in syncs:
        row = {item.name: getattr(sync, item.name) for item in fields(Sync)}
        for frame in (*sync.stack, *([sync.caller] if sync.caller else [])):
            frames.setdefault(frame, len(frames))
        row["stack"] = stacks.setdefault(sync.stack, len(stacks))
        row["caller"] = frames[sync.caller] if sync.caller else None
        row["seen_by"] = list(sync.seen_by)
        rows.append(row)
    return {
        "schema": SYNCS_SCHEMA,
        "frames": [[frame.file, frame.line, frame.function] for frame in frames],
        "stacks": [[frames[frame] for frame in stack] for stack in stacks],
        "syncs": rows,
    }


def _syncs(data: Mapping[str, Any]) -> tuple[Sync, ...]:
    if data["schema"] != SYNCS_SCHEMA:
        raise ValueError(f"schema {data['schema']!r} is not known")
    frames = [Frame(file, line, function) for file, line, function in data["frames"]]
    stacks = [tuple(frames[index] for index in stack) for stack in data["stacks"]]
    return tuple(
        Sync(
            **{
                **row,
                "stack": stacks[row["stack"]],
                "caller": None if row["caller"] is None else frames[row["caller"]],
                "seen_by": tuple(row["seen_by"]),
            }
        )
        for row in data["syncs"]
    )


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PerfkitError(
            f"there is no run in {path.parent}", "name a directory that perfkit profile wrote"
        ) from error
    except OSError as error:
        raise PerfkitError(f"cannot read {path}: {error.strerror}", "check the path") from error
    except (ValueError, RecursionError) as error:
        raise PerfkitError(f"{path} is damaged: {error}", "profile again") from error


def _cannot_write(path: Path, error: OSError) -> PerfkitError:
    return PerfkitError(
        f"cannot write {path}: {error.strerror or error}",
        "choose another folder with --out, or make this one writable",
    )


def _safe(name: str) -> str:
    """A file name that every shell and TensorBoard take."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name).lstrip(".-") or "run"

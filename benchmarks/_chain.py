"""The chain from line to gain, on a user's files and by the commands that a user types.

profile -> the findings -> fix, or the rewrite's call put in -> compare on captured inputs -> profile again.
Everything goes through `python -m perfkit` in processes of their own. What a finding predicts is held
against what the second profile counts: waits (synchronisations and blocking copies) and launches.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._user_program import Answers, Change, Check, Program, apply

_ONE_BY_ONE = "per-slot-embedding"
_ONCE = """
import importlib, json, sys
checks = importlib.import_module("checks")
packages, arguments, rounds = json.loads(sys.argv[1])
told = {package: [] for package in packages}
results = {}
for _ in range(rounds):
    for package in packages:
        results[package], seconds = checks.once(package, arguments, 1)
        told[package] += seconds
print()
print(json.dumps([results, told]))
"""

_WALLS = """
import importlib, json, statistics, sys
checks = importlib.import_module("checks")
package, arguments, workers = json.loads(sys.argv[1])
told = [[] for _ in workers]
for _ in range(3):
    for number, each in zip(workers, told):
        each.append(statistics.median(checks.step_walls(package, arguments, number)))
print()
print(json.dumps(told))
"""


@dataclass(frozen=True)
class Profile:
    """What a profile counts per step; `launches` None where they were not counted."""

    diagnosis: dict[str, Any]
    waits: float
    launches: float | None


@dataclass(frozen=True)
class Claim:
    """What one finding predicts, per step.

    Attributes:
        place: file name and line.
        waits: that go; launches: that go at least, None where the finding says nothing of them.
        low_ns, likely_ns, high_ns, method: its saving.
    """

    rule: str
    place: str
    line: str
    title: str
    rewrite: str | None
    waits: float
    launches: float | None
    low_ns: int
    likely_ns: int
    high_ns: int
    method: str


@dataclass(frozen=True)
class Proof:
    """What `perfkit compare` said of a change; `verdicts` of each captured call."""

    verdicts: tuple[str, ...]
    values: int
    gradients: int
    worst_error: float


@dataclass(frozen=True)
class Told:
    """A change: what its findings predicted, and the profiles around it."""

    change: Change
    claims: tuple[Claim, ...]
    before: Profile
    after: Profile
    proof: Proof | None


class Desk:
    """A folder with a user's files, and perfkit typed there."""

    def __init__(self, program: Program, folder: Path, small: bool) -> None:
        self.program, self.folder = program, folder
        self.arguments = program.small if small else program.arguments
        self.options = ("--steps", "9", "--warmup", "1") if small else ()
        program.lay_out(folder)
        self._profiles = 0

    def perfkit(self, *words: str, codes: Sequence[int] = (0,)) -> str:
        """What a command prints.

        Raises:
            SystemExit: it ended otherwise than expected.
        """
        done = self._run(["-m", "perfkit", *words])
        if done.returncode not in codes:
            raise SystemExit(
                f"perfkit {' '.join(words)} ended with {done.returncode}:\n{done.stderr}"
            )
        return done.stdout

    def profile(self, captures: Sequence[str] = ()) -> Profile:
        """The program as it is now; inputs of `captures` are kept in the run's folder."""
        self._profiles += 1
        words = ["profile", "--json", "--no-report", "--stop-after", "--device", "pretend-cuda"]
        words += ["--out", f"run-{self._profiles}", *self.options]
        words += [word for name in captures for word in ("--capture-inputs", name)]
        text = self.perfkit(*words, "-m", self.program.name, *self.arguments)
        diagnosis = json.loads(text)
        launches = diagnosis["facts"].get("launches per step")
        waits = sum(row["per_step"] for row in rows_of(diagnosis, "sync_points"))
        return Profile(diagnosis, waits, float(launches.replace(",", "")) if launches else None)

    def make(self, number: int, change: Change, diagnosis: dict[str, Any]) -> None:
        """Make a change as the diagnosis says, and keep what came of it.

        Raises:
            SystemExit: no finding offers the fix that the change wants.
        """
        if change.fix:
            self.typed(applied_by(diagnosis, change.fix))
        apply(change.edits, self.folder / self.program.name)
        self.program.keep(self.folder, number)

    def typed(self, command: str) -> str:
        """What a command prints that perfkit itself has printed, typed as it stands."""
        first, *words = shlex.split(command)
        assert first == "perfkit", command
        return self.perfkit(*words)

    def prove(self, check: Check, captured: Path) -> Proof:
        """`perfkit compare` on what was captured from the unchanged program."""
        found = self.folder / "proof.json"
        words = ["compare", f"checks:{check.before}", f"checks:{check.after}"]
        words += ["--inputs", str(captured), "--rounds", "0", "--json", str(found)]
        if check.tolerance is not None:
            words += ["--tolerance", str(check.tolerance)]
        self.perfkit(*words, codes=(0, 3))
        rows = json.loads(found.read_text(encoding="utf-8"))["rows"]
        behaviours = [row["behaviour"] for row in rows if row["behaviour"]]
        errors = [one["worst_error"] for one in behaviours]
        return Proof(
            tuple(row["verdict"] for row in rows),
            sum(one["compared"] for one in behaviours),
            sum(one["gradients"] for one in behaviours),
            max((float("inf") if one is None else one for one in errors), default=float("inf")),
        )

    def results(
        self, versions: Sequence[int], rounds: int
    ) -> tuple[dict[int, list[float]], dict[int, float]]:
        """Results of whole runs on the bare CPU, and the least CPU seconds, of some versions in turns."""
        names = {f"{self.program.name}_{number}": number for number in versions}
        asked = json.dumps([list(names), list(self.arguments), rounds])
        done = self._run(["-c", _ONCE, asked])
        if done.returncode:
            raise SystemExit(f"{self.program.name} failed:\n{done.stderr}")
        results, seconds = json.loads(done.stdout.splitlines()[-1])
        return (
            {names[name]: values for name, values in results.items()},
            {names[name]: min(each) for name, each in seconds.items()},
        )

    def step_walls(self, version: int, workers: Sequence[int]) -> list[int]:
        """Median wall ns of a step with so many DataLoader workers, in turns, the least of three."""
        asked = json.dumps([f"{self.program.name}_{version}", self.arguments, list(workers)])
        done = self._run(["-c", _WALLS, asked])
        if done.returncode:
            raise SystemExit(f"{self.program.name} failed:\n{done.stderr}")
        told = json.loads(done.stdout.splitlines()[-1])
        return [round(1e9 * min(each)) for each in told]

    def _run(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(self.folder)}
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
        )


def rows_of(diagnosis: dict[str, Any], table: str) -> list[dict[str, Any]]:
    """Rows of a table of a diagnosis, by column name."""
    found = diagnosis["tables"][table]
    names = [column["name"] for column in found["columns"]]
    return [dict(zip(names, row, strict=True)) for row in found["rows"]]


def story(desk: Desk) -> list[Told]:
    """Every change of the program, one after the other, with a profile after each."""
    before, folders = _begun(desk)
    told = []
    for number, change in enumerate(desk.program.changes, 1):
        desk.make(number, change, before.diagnosis)
        proof = desk.prove(change.check, folders[change.check.capture]) if change.check else None
        after = desk.profile()
        told.append(Told(change, claims(before.diagnosis, change.answers), before, after, proof))
        before = after
    return told


def whole(desk: Desk) -> list[Told]:
    """All changes, with one profile before the first and one after the last."""
    before, folders = _begun(desk)
    changes = desk.program.changes
    for number, change in enumerate(changes, 1):
        desk.make(number, change, before.diagnosis)
    after = desk.profile()
    return [
        Told(
            change,
            claims(before.diagnosis, change.answers),
            before,
            after,
            desk.prove(change.check, folders[change.check.capture]) if change.check else None,
        )
        for change in changes
    ]


def _begun(desk: Desk) -> tuple[Profile, dict[str, Path]]:
    """The profile of the unchanged program, and where the calls are that were captured in it."""
    captures = [change.check.capture for change in desk.program.changes if change.check]
    before = desk.profile(captures)
    return before, captured(desk.folder / "run-1", captures)


def captured(run: Path, names: Sequence[str]) -> dict[str, Path]:
    """Folder of the captured calls of each name."""
    return {name: run / "captured" / re.sub(r"[^\w.-]+", "_", name) for name in names}


def claims(diagnosis: dict[str, Any], answers: Sequence[Answers]) -> tuple[Claim, ...]:
    """The findings that a change answers, most likely saving first."""
    wanted = {(one.rule, _last(one.function)) for one in answers}
    found = [
        _claim(outcome["rule"], finding)
        for outcome in diagnosis["outcomes"]
        for finding in outcome["findings"]
        if finding["saving"] and (outcome["rule"], function_of(finding)) in wanted
    ]
    return tuple(sorted(found, key=lambda one: -one.likely_ns))


def applied_by(diagnosis: dict[str, Any], fix: str) -> str:
    """The command that a finding names to apply a fix, as it is printed.

    Raises:
        SystemExit: no finding names it.
    """
    remedies = [
        finding["remedy"]
        for outcome in diagnosis["outcomes"]
        for finding in outcome["findings"]
        if finding.get("remedy")
    ]
    for remedy in remedies:
        if fix in remedy["fixes"] and remedy["apply"]:
            return str(remedy["apply"][0])
    raise SystemExit(f"no finding says how to apply {fix}")


def function_of(finding: dict[str, Any]) -> str:
    """Name of the function that a finding lies in; that around it for a comprehension."""
    place = finding["place"]
    if place is None:
        return ""
    frames = str(finding["evidence"].get("stack") or "").split(" < ")
    names = [place["function"], *(frame.rpartition(" ")[2] for frame in frames)]
    return next((_last(name) for name in names if name and not name.startswith("<")), "")


def _claim(rule: str, finding: dict[str, Any]) -> Claim:
    place, evidence, saving = finding["place"], finding["evidence"], finding["saving"]
    launches = evidence.get("operators_in_loop") or None
    if launches and rule == _ONE_BY_ONE:
        slots = evidence.get("lookups_per_step")
        launches = launches * (slots - 1) / slots if slots else None  # one of each is left
    return Claim(
        rule=rule,
        place=f"{Path(place['file']).name}:{place['line']}",
        line=finding["code"],
        title=finding["title"],
        rewrite=finding["rewrite"],
        waits=float(evidence.get("per_step") or 0),
        launches=launches,
        low_ns=saving["low_ns"],
        likely_ns=saving["likely_ns"],
        high_ns=saving["high_ns"],
        method=saving["method"],
    )


def _last(name: str) -> str:
    return name.rpartition(".")[2]

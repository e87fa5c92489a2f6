"""What perfkit's findings predict, beside what was then measured: the error table of the savings.

    python -m benchmarks.savings [--small] [--only ctr lens lookahead] [--no-queue-device] [--write]

Three kinds of predictions are held against what happened, as far as a machine without a GPU can tell:

counts      `perfkit profile` of the found CTR, lens and lookahead programs, copied as a user's own files,
            names findings; each is answered as it says (`perfkit fix --unsafe`, or the shipped rewrite's
            call put in), proven by `perfkit compare` on inputs captured from the unchanged program, and
            the program is profiled again. Predicted: waits and launches per step that go. Measured: those
            that went. Beside them what the findings say the waits cost on CUDA, a model from counts that
            only a GPU can test, and what is real here: CPU seconds of the whole program, every version
            in turns in one process.
CPU time    the one finding that predicts it, input-bound, against the wall time of a step with the
            DataLoader workers that its advice names.
step time   the what-if replay of a trace against the rewritten program really run: the recorded pairs,
            and all pairs made afresh on the software device (`benchmarks/what_if.py`).

`--write` leaves savings.json and savings.md beside this file. Run it on a machine left alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import what_if
from benchmarks._chain import Claim, Desk, Proof, Told, claims, story
from benchmarks._savings_page import page
from benchmarks._user_ctr import CTR
from benchmarks._user_lens import LENS
from benchmarks._user_lookahead import LOOKAHEAD
from benchmarks._user_program import Program

HERE = Path(__file__).resolve().parent
PROGRAMS = {program.name: program for program in (CTR, LENS, LOOKAHEAD)}
ROUNDS = 5


@dataclass(frozen=True)
class Row:
    """One change of one program, per step.

    Attributes:
        claims: the findings that it answers.
        cpu_s: of the whole program with this change and those before it; None where not measured.
        drift: largest difference of its results from those as found.
        proof: of `perfkit compare`; None where the whole program's results are the proof.
        first: what the very first profile said of the same places, before any change.
    """

    program: str
    change: str
    claims: tuple[Claim, ...]
    waits_before: float
    waits_after: float
    launches_before: float | None
    launches_after: float | None
    cpu_before_s: float
    cpu_s: float
    drift: float
    proof: Proof | None
    first: tuple[Claim, ...] = ()

    @property
    def waits_predicted(self) -> float:
        return sum(claim.waits for claim in self.claims)

    @property
    def waits_gone(self) -> float:
        return self.waits_before - self.waits_after

    @property
    def launches_predicted(self) -> float | None:
        """At least; None where no finding says anything of launches."""
        said = [claim.launches for claim in self.claims if claim.launches is not None]
        return sum(said) if said else None

    @property
    def launches_gone(self) -> float | None:
        if self.launches_before is None or self.launches_after is None:
            return None
        return self.launches_before - self.launches_after


@dataclass(frozen=True)
class Loading:
    """What input-bound predicts, and wall time of a step without and with workers; ns."""

    program: str
    workers: int
    low_ns: int
    likely_ns: int
    high_ns: int
    before_ns: int
    after_ns: int

    @property
    def saved_ns(self) -> int:
        return self.before_ns - self.after_ns

    @property
    def within(self) -> bool:
        return self.low_ns <= self.saved_ns <= self.high_ns


def rows_of(desk: Desk, told: Sequence[Told]) -> list[Row]:
    """Every change with the CPU time and the results of the whole program."""
    versions = range(len(told) + 1)
    results, seconds = desk.results(versions, ROUNDS)
    return [
        Row(
            program=desk.program.name,
            change=one.change.title,
            claims=one.claims,
            waits_before=one.before.waits,
            waits_after=one.after.waits,
            launches_before=one.before.launches,
            launches_after=one.after.launches,
            cpu_before_s=seconds[0],
            cpu_s=seconds[number],
            drift=drift(results[0], results[number]),
            proof=one.proof,
            first=claims(told[0].before.diagnosis, one.change.answers),
        )
        for number, one in enumerate(told, 1)
    ]


def drift(found: Sequence[float], now: Sequence[float]) -> float:
    """Largest difference; infinite where there are not as many results."""
    if len(found) != len(now):
        return float("inf")
    return max((abs(a - b) for a, b in zip(found, now, strict=True)), default=0.0)


def loading(desk: Desk, told: Sequence[Told]) -> Loading | None:
    """Held against the unchanged program; None where nothing was found to be input-bound."""
    found = [
        finding
        for outcome in told[0].before.diagnosis["outcomes"]
        if outcome["rule"] == "input-bound"
        for finding in outcome["findings"]
        if finding["saving"]
    ]
    if not found:
        return None
    workers = workers_of(found[0]["fix"])
    before, after = desk.step_walls(0, (0, workers))
    saving = found[0]["saving"]
    return Loading(
        desk.program.name,
        workers,
        saving["low_ns"],
        saving["likely_ns"],
        saving["high_ns"],
        before,
        after,
    )


def workers_of(fix: str) -> int:
    """The number of workers that the advice names."""
    return int(fix.partition("num_workers=")[2].partition(",")[0])


def measured(program: Program, small: bool) -> tuple[list[Row], Loading | None]:
    """The whole chain of one program, in a folder that goes afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(program, Path(folder), small)
        told = story(desk)
        bound = loading(desk, told) if program.name == "ctr" else None
        return rows_of(desk, told), bound


def replayed(queue_device: bool) -> list[what_if.Row]:
    """All pairs there are: those recorded, and those made here."""
    recorded = HERE.parent / "profiles" / "what-if-pairs"
    rows = [what_if.predict(recorded, name) for name in what_if.pairs(recorded)]
    if queue_device:
        with tempfile.TemporaryDirectory() as folder:
            names = what_if.capture(Path(folder), 80)
            rows += [what_if.predict(Path(folder), name) for name in names]
    return rows


def as_json(
    rows: Sequence[Row], loads: Sequence[Loading], pairs: Sequence[what_if.Row]
) -> dict[str, Any]:
    """All numbers, with what follows from them."""
    derived = ("waits_predicted", "waits_gone", "launches_predicted", "launches_gone")
    return {
        "changes": [asdict(r) | {name: getattr(r, name) for name in derived} for r in rows],
        "loading": [asdict(r) | {"saved_ns": r.saved_ns, "within": r.within} for r in loads],
        "replay": [asdict(r) | {"error": r.error, "within": r.within} for r in pairs],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="reduced sizes, fewer steps")
    parser.add_argument("--only", nargs="*", choices=sorted(PROGRAMS), default=sorted(PROGRAMS))
    parser.add_argument("--no-queue-device", action="store_true", help="only recorded pairs")
    parser.add_argument("--write", action="store_true", help="leave savings.json and savings.md")
    options = parser.parse_args(arguments)
    if options.write and (options.small or len(options.only) < len(PROGRAMS)):
        parser.error("--write wants all programs at full size")
    rows: list[Row] = []
    loads: list[Loading] = []
    for name in options.only:
        print(f"{name}: profiling, changing, comparing", file=sys.stderr)
        found, bound = measured(PROGRAMS[name], options.small)
        rows += found
        loads += [bound] if bound else []
    pairs = replayed(not options.no_queue_device)
    text = page(rows, loads, pairs)
    print(text)
    if options.write:
        (HERE / "savings.md").write_text(text, encoding="utf-8")
        data = json.dumps(as_json(rows, loads, pairs), indent=1)
        (HERE / "savings.json").write_text(data + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

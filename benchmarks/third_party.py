"""How well `perfkit profile --device pretend-cuda` finds synchronisations in programs nobody here wrote.

Every script in `third_party/` is a small driver of a published package. `third_party/truth/*.json` says,
line by line, what waits on CUDA, what only resembles it, and why; it was written by reading the executed
source, without perfkit (`third_party/_oracle.py` and `_executed.py` helped). Install
`third_party/requirements.txt` to run this. `when` in the truth says how often a line waits: in every `step`;
once per `request`, which takes several of perfkit's steps; only at `first` or `after` the loop.

A line is a statement: a report anywhere inside a statement that spans lines counts for it. Precision is
the share of reported statements that truly wait, whenever; recall the share of the `step` lines that were
reported as steady; `seldom` counts the `request` lines that were not. Groups of lines with one cause, and
one statement reported by several operators, count once.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent / "third_party"
TIMEOUT_S = 900

Place = tuple[str, int]
"""File, relative to its packages' folder or to the script's, and the first line of a statement."""


@dataclass
class Score:
    """What one program's profile got right; `missed`, `wrong` and `lookalikes` are `file:line`."""

    program: str
    crashed: str | None = None
    right: int = 0
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lookalikes: list[str] = field(default_factory=list)
    uncertain: list[str] = field(default_factory=list)
    seldom: list[str] = field(default_factory=list)
    found: int = 0
    stale: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float | None:
        reported = self.right + len(self.wrong)
        return self.right / reported if reported else None

    @property
    def recall(self) -> float | None:
        required = self.found + len(self.missed)
        return self.found / required if required else None


def programs() -> list[str]:
    return sorted(path.stem for path in (HERE / "truth").glob("*.json"))


def truth(program: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((HERE / "truth" / f"{program}.json").read_text())
    return loaded


@cache
def statements(file: str) -> tuple[tuple[int, int], ...]:
    """First and last line of each simple statement and of each block's header, innermost last."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the packages' own unescaped strings
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = node.end_lineno or node.lineno
            if isinstance(body, list) and body:
                last = max(node.lineno, body[0].lineno - 1)
            found.append((node.lineno, last))
    return tuple(sorted(found, key=lambda span: span[0] - span[1]))


def statement(file: str, line: int) -> int:
    """First line of the innermost statement at a line; the line itself where there is none."""
    starts = [first for first, last in statements(file) if first <= line <= last]
    return starts[-1] if starts else line


def where(entry: dict[str, Any], packages: Path) -> str | None:
    """The file of a truth entry on this machine."""
    name = entry["file"]
    path = packages / name if "/" in name else HERE / name
    return str(path) if path.exists() else None


def located(entry: dict[str, Any], packages: Path) -> Place | None:
    """A truth entry's statement, looked up by its text where other versions have moved it."""
    file = where(entry, packages)
    if file is None:
        return None
    lines = [text.strip() for text in Path(file).read_text(encoding="utf-8").splitlines()]
    same = [number for number, text in enumerate(lines, 1) if text == entry["text"]]
    if not same:
        return None
    line = min(same, key=lambda number: abs(number - entry["line"]))
    return file, statement(file, line)


def rows(diagnosis: dict[str, Any]) -> Iterator[dict[str, Any]]:
    table = diagnosis["tables"]["sync_points"]
    names = [column["name"] for column in table["columns"]]
    for row in table["rows"]:
        yield dict(zip(names, row, strict=True))


def score(program: str, diagnosis: dict[str, Any], packages: Path) -> Score:
    """Compare the reported steady synchronisations with the truth."""
    known = truth(program)
    result = Score(program)
    places = [(entry, located(entry, packages)) for entry in known["lines"]]
    result.stale = [f"{e['file']}:{e['line']}" for e, place in places if place is None]
    waits = {place: entry for entry, place in places if place and entry["sync"]}
    alike = {place for entry, place in places if place and not entry["sync"]}
    seen_groups: set[str] = set()
    certain: set[Place] = set()
    uncertain: set[Place] = set()
    for row in rows(diagnosis):
        group = next((g for g in known["groups"] if belongs(row, g, packages)), None)
        place = (row["file"], statement(row["file"], row["line"]) if row["line"] else 0)
        if group is not None and place not in waits:
            seen_groups.add(group["name"])
        else:
            (certain if row["certain"] else uncertain).add(place)
    required = {place for place, entry in waits.items() if entry["when"] == "step"}
    steady_groups = {group["name"] for group in known["groups"]}
    result.right = len(certain & waits.keys()) + len(seen_groups)
    result.found = len(certain & required) + len(seen_groups)
    result.missed = named(required - certain, packages) + sorted(steady_groups - seen_groups)
    seldom = {place for place, entry in waits.items() if entry["when"] == "request"}
    result.seldom = named(seldom - certain, packages)
    result.wrong = named(certain - waits.keys(), packages)
    result.lookalikes = named(certain & alike, packages)
    result.uncertain = named(uncertain - certain, packages)
    return result


def belongs(row: dict[str, Any], group: dict[str, Any], packages: Path) -> bool:
    """True for a row that a group of lines with one cause explains: its kind and phase, or its place."""
    if (row["kind"], row["phase"]) == (group["kind"], group["phase"]):
        return True
    at = {located(entry, packages) for entry in group["also_at"]}
    return row["line"] is not None and (row["file"], statement(row["file"], row["line"])) in at


def named(places: set[Place], packages: Path) -> list[str]:
    roots = (str(packages) + os.sep, str(HERE) + os.sep)
    short = []
    for file, line in places:
        for root in roots:
            file = file.removeprefix(root)
        short.append(f"{file}:{line}")
    return sorted(short)


def profiled(program: str, python: str, folder: Path) -> tuple[dict[str, Any] | None, str]:
    """Profile one script in a process of its own; its diagnosis, or None and the end of its output."""
    out = folder / program
    command = [str(Path(python).with_name("perfkit")), "profile", "--device", "pretend-cuda"]
    command += ["--no-report", "--out", str(out), str(HERE / f"{program}.py")]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None, f"still running after {TIMEOUT_S} s"
    path = out / "diagnosis.json"
    if done.returncode != 0 or not path.exists():
        return None, f"exit code {done.returncode}: {cause(done.stderr)}"
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded, ""


def cause(stderr: str) -> str:
    """The last line that names an exception, else the last one."""
    lines = [line for line in stderr.splitlines() if line.strip()] or ["nothing on stderr"]
    named_errors = [
        line for line in lines if re.match(r"[\w.]*(Error|Exception|Interrupt)\b", line)
    ]
    return (named_errors or lines)[-1].strip()


def packages_of(python: str) -> Path:
    """The folder that this interpreter's packages are installed in."""
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


def measured(program: str, python: str, folder: Path, packages: Path) -> Score:
    diagnosis, trouble = profiled(program, python, folder)
    if diagnosis is None:
        return Score(program, crashed=trouble)
    return score(program, diagnosis, packages)


def in_total(scores: list[Score]) -> Score:
    total = Score("in total")
    for one in scores:
        total.right += one.right
        total.found += one.found
        for name in ("missed", "wrong", "lookalikes", "uncertain", "seldom"):
            getattr(total, name).extend(getattr(one, name))
    crashed = [one.program for one in scores if one.crashed]
    total.crashed = f"{len(crashed)} crashed" if crashed else None
    return total


def show(one: Score, details: bool) -> None:
    rates = [
        f"{rate:9.2f}" if rate is not None else "        -" for rate in (one.precision, one.recall)
    ]
    counts = [
        len(names) for names in (one.missed, one.seldom, one.wrong, one.lookalikes, one.uncertain)
    ]
    crash = "yes" if one.crashed else "no"
    print(
        f"{one.program:20}{''.join(rates)}{''.join(f'{n:11}' for n in counts)}  {crash}", flush=True
    )
    if not details:
        return
    if one.crashed:
        print(f"    {one.crashed}")
    for name in ("missed", "seldom", "wrong", "uncertain", "stale"):
        for place in getattr(one, name):
            alike = " (look-alike)" if name == "wrong" and place in one.lookalikes else ""
            print(f"    {name}: {place}{alike}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter with the packages and perfkit"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the recorded runs there")
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="all without")
    options = parser.parse_args()
    packages = packages_of(options.python)
    print(
        f"{'program':20}precision   recall     missed     seldom      wrong look-alike  uncertain  crash"
    )
    scores = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep.absolute() if options.keep else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for program in options.programs or programs():
            scores.append(measured(program, options.python, folder, packages))
            show(scores[-1], details=True)
    total = in_total(scores)
    show(total, details=False)
    if options.json:
        table = [
            asdict(one) | {"precision": one.precision, "recall": one.recall}
            for one in [*scores, total]
        ]
        options.json.write_text(json.dumps(table, indent=1) + "\n")
    return 1 if total.crashed else 0


if __name__ == "__main__":
    sys.exit(main())

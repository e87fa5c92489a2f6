"""`perfkit lint` against live evidence: what both find, what only one of them finds.

Four corpora. `patterns`: the one-line patterns of `_patterns`, each read as a function of its own.
`third_party`: the programs whose truth was written by reading them (`third_party/truth`), with
`--python` naming an interpreter that has their packages. `unseen`: further programs on these packages
(`third_party/_unseen.py`) against what the pretend device records. `workloads`: the programs shipped
here, against what `perfkit profile` sees on the pretend device.

The unit is a statement. Live sites are those that wait in a step or per request. A finding on a
statement that waits, whenever, is right; one on a statement that ran and does not wait is wrong; one on
a statement that no run reached is counted as not judged. Only warnings count: notes are not shown by
default. Programs marked * were looked at while the checks were written. At first sight, before what was
wrong mended general rules (precision and recall; both, lint only, live only):

    third_party   0.81 0.76   39  9 12     second   0.88 0.83   43 6  9
    workloads     0.79 0.77   23  6  7     third    0.98 0.46   48 1 56, half of them one solver of ODEs
    unseen        0.88 0.74   75 10 26     fourth   0.96 0.87  114 5 17

`fourth` was read last and nothing was mended by it: the rules before that round had 0.96 and 0.80 there.
In `second` and after, a finding in an arm of an expression that was not evaluated is counted as not judged;
the others were first measured by statement alone.

    python benchmarks/lint_truth.py [--python PYTHON] [--lines DIR] [--details] [--json FILE] [CORPUS...]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from third_party import HERE, located, packages_of, programs, rows, statement, truth

from perfkit.lint._files import text_of
from perfkit.lint._finding import Finding
from perfkit.lint._hooks import checks
from perfkit.lint._run import lint_text
from perfkit.lint._settings import Settings

TUNED = (
    "hf_olmoe",
    "metric_learning",
    "pyg_gat",
    "recbole_dien",
    "torchmetrics_loop",
    "vector_quantize",
)
CORPORA = ("patterns", "third_party", "unseen", "second", "third", "fourth", "workloads")
WORKLOADS = ("perfkit.workloads.ctr", "perfkit.workloads.lens", "perfkit.workloads.lookahead")
SYNCS = tuple(module.CODE for module in checks().values() if module.KIND is not None)
LINES = HERE / "_lines.py"
CAUSES: dict[str, list[dict[str, Any]]] = {
    # the copy is in torch_geometric/data/data.py, which this call reaches; the truth names that line
    "pyg_gat": [{"file": "pyg_gat.py", "line": 39, "text": "data = data.to(device)"}],
    # every backward function waits because of this line; the truth names the group "anomaly mode"
    "recbole_dien": [
        {
            "file": "recbole/model/sequential_recommender/sine.py",
            "line": 25,
            "text": "torch.autograd.set_detect_anomaly(True)",
        }
    ],
}
"""Statements that wait through another line: the truth lists the place, lint the cause."""
Place = tuple[str, int]
Span = tuple[int, int, int, int]
"""Line, column from 0, last line and end of an expression."""

IMPORTS = """\
import contextlib, copy, io, math, pickle, threading, types
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
"""
NAMES = """\
cx, cy = torch.arange(4.0), torch.ones(4)
cm, ci = torch.tensor([False, False, True, True]), torch.tensor([0, 2])
ct, cf, cflag = torch.tensor(2), torch.tensor(0.5), torch.tensor(True)
ca = torch.eye(4) * 2
x, y, a = cx.to("cuda"), cy.to("cuda"), ca.to("cuda")
m, i, t, f, flag = cm.to("cuda"), ci.to("cuda"), ct.to("cuda"), cf.to("cuda"), cflag.to("cuda")
k = torch.tensor([1, 0, 3, 1], device="cuda")
lst = [10, 20, 30, 40]
"""
"""What `_patterns.runner.PRELUDE` binds in a loop."""


@dataclass
class Score:
    """One program; places are `file:line`."""

    program: str
    both: list[str] = field(default_factory=list)
    lint_only: list[str] = field(default_factory=list)
    live_only: list[str] = field(default_factory=list)
    right: int = 0
    not_judged: int = 0

    @property
    def precision(self) -> float | None:
        said = self.right + len(self.lint_only)
        return self.right / said if said else None

    @property
    def recall(self) -> float | None:
        live = len(self.both) + len(self.live_only)
        return len(self.both) / live if live else None


def found_in(file: str, settings: Settings) -> list[Finding]:
    """What lint warns about."""
    text = text_of(Path(file))
    if not isinstance(text, str):
        return []
    found = lint_text(text, file, settings).findings
    return [one for one in found if one.kind is not None and one.level == "warning"]


def evaluated(finding: Finding, spans: Iterable[Span]) -> bool:
    """Was any part of a finding's expression reached? A line may hold an arm that was not taken."""
    first, last = (finding.line, finding.column), (finding.end_line, finding.end_column)
    return any(
        first <= (line, column + 1) and (end_line, end + 1) <= last
        for line, column, end_line, end in spans
    )


def compared(
    program: str,
    live: set[Place],
    waiting: set[Place],
    executed: dict[str, list[int]],
    spans: dict[str, list[Span]] | None = None,
) -> Score:
    """Set what lint says beside what a run showed; where spans are known, by expression."""
    result = Score(program)
    said: set[Place] = set()
    unreached: set[Place] = set()
    for file in sorted(executed):
        inside = _by_line(spans.get(file, [])) if spans is not None else None
        for one in found_in(file, Settings(select=SYNCS)):
            place = (file, statement(file, one.line))
            near = [s for n in range(one.line, one.end_line + 1) for s in (inside or {}).get(n, ())]
            reached = inside is None or evaluated(one, near)
            (said if reached else unreached).add(place)
    told = {file for file, _ in said}
    ran = {(file, statement(file, line)) for file in told for line in executed.get(file, ())}
    result.both = named(said & live)
    result.live_only = named(live - said)
    result.lint_only = named({place for place in said - waiting if place in ran})
    result.right = len(said & waiting)
    result.not_judged = len((said - waiting - ran) | (unreached - said))
    return result


def _by_line(spans: list[Span]) -> dict[int, list[Span]]:
    found: dict[int, list[Span]] = {}
    for span in spans:
        found.setdefault(span[0], []).append(span)
    return found


def named(places: set[Place]) -> list[str]:
    return sorted(f"{'/'.join(Path(file).parts[-3:])}:{line}" for file, line in places)


def lines_of(python: str, target: list[str], keep: Path) -> dict[str, list[int]]:
    """Which lines a program runs; from a file of an earlier call where there is one."""
    output = keep / f"{target[-1].removesuffix('.py').replace('.', '-').rpartition('/')[2]}.json"
    if not output.exists():
        command = [python, str(LINES), str(output), *target]
        subprocess.run(command, capture_output=True, cwd=keep, check=True, timeout=1800)
    loaded: dict[str, list[int]] = json.loads(output.read_text())
    return loaded


def third_party(python: str, keep: Path, chosen: list[str]) -> Iterator[Score]:
    packages = packages_of(python)
    for program in chosen or programs():
        known = truth(program)
        executed = lines_of(python, [str(HERE / f"{program}.py")], keep)
        entries = [(entry, located(entry, packages)) for entry in known["lines"] if entry["sync"]]
        waiting = {place for _, place in entries if place}
        live = {place for entry, place in entries if place and entry["when"] in ("step", "request")}
        for group in known["groups"]:
            waiting |= {place for entry in group["also_at"] if (place := located(entry, packages))}
        for entry in CAUSES.get(program, ()):
            place = located(entry, packages)
            waiting |= {place} if place else set()
        yield compared(program, live, waiting, executed)


def unseen(python: str, keep: Path, names: str) -> Iterator[Score]:
    """A list of programs without a written truth, against what the pretend device records."""
    text = (HERE / f"{names}.py").read_text()
    for program in re.findall(r"^def (\w+)\(\) -> Step", text, re.MULTILINE):
        output = keep / f"unseen-{program}.json"
        if not output.exists():
            command = [python, str(HERE / "_unseen.py"), str(output), names, program]
            subprocess.run(command, capture_output=True, cwd=keep, check=True, timeout=1800)
        seen = json.loads(output.read_text())
        spans = {f: found for f, found in seen["spans"].items() if not f.startswith(str(HERE))}
        executed = {file: sorted({span[0] for span in found}) for file, found in spans.items()}
        waits = {(file, statement(file, line)) for file, line in seen["waits"] if file in executed}
        yield compared(program, waits, waits, executed, spans)


def workloads(keep: Path) -> Iterator[Score]:
    for module in WORKLOADS:
        executed = lines_of(sys.executable, ["-m", module], keep)
        out = keep / f"run-{module.rpartition('.')[2]}"
        if not (out / "diagnosis.json").exists():
            command = [str(Path(sys.executable).with_name("perfkit")), "profile", "--device"]
            command += ["pretend-cuda", "--no-report", "--out", str(out), "-m", module]
            subprocess.run(command, capture_output=True, cwd=keep, check=True, timeout=1800)
        diagnosis = json.loads((out / "diagnosis.json").read_text())
        live = {
            (row["file"], statement(row["file"], row["line"]))
            for row in rows(diagnosis)
            if row["line"] and row["file"] in executed and row["certain"]
        }
        yield compared(module, live, live, executed)


def patterns() -> Iterator[Score]:
    """Every pattern as a function; its expectation is the live side."""
    from _patterns import PATTERNS, SYNC_WARNING, applicable

    score = Score("patterns")
    for pattern in applicable((*PATTERNS, *SYNC_WARNING)):
        if pattern.anywhere:
            continue
        text, line = as_program(pattern)
        settings = Settings(select=SYNCS)
        told = any(f.line == line for f in lint_text(text, "pattern.py", settings).findings)
        waits = bool(pattern.expected)
        score.right += told and waits
        into = {
            (True, True): score.both,
            (True, False): score.lint_only,
            (False, True): score.live_only,
        }
        if (told, waits) in into:
            into[told, waits].append(pattern.name)
    yield score


def as_program(pattern: Any) -> tuple[str, int]:
    """A pattern inside a step, its names spelled out one by one, and the number of its line."""
    marked = pattern.frame.replace("{line}", pattern.line + "  # HERE", 1)
    body = "\n".join([NAMES, pattern.setup, marked]).splitlines()
    text = "\n".join([IMPORTS, "", "def train_step():", *("    " + line for line in body), ""])
    return text, next(n for n, line in enumerate(text.splitlines(), 1) if "# HERE" in line)


def total(scores: list[Score], name: str) -> Score:
    result = Score(name)
    for one in scores:
        result.right += one.right
        result.not_judged += one.not_judged
        for part in ("both", "lint_only", "live_only"):
            getattr(result, part).extend(getattr(one, part))
    return result


def show(one: Score, details: bool) -> None:
    rates = "".join(
        f"{rate:11.2f}" if rate is not None else f"{'-':>11}"
        for rate in (one.precision, one.recall)
    )
    counts = "".join(f"{len(names):11}" for names in (one.both, one.lint_only, one.live_only))
    mark = "*" if one.program in TUNED else " "
    print(f"{one.program:28}{mark}{counts}{one.not_judged:11}{rates}", flush=True)
    if details:
        for name in ("lint_only", "live_only"):
            for place in getattr(one, name):
                print(f"    {name.replace('_', ' ')}: {place}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="interpreter with the packages")
    parser.add_argument(
        "--lines", type=Path, metavar="DIR", help="keep runs and executed lines there"
    )
    parser.add_argument("--details", action="store_true", help="name every place")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    parser.add_argument("--program", action="append", default=[], help="only these of third_party")
    parser.add_argument("corpora", nargs="*", metavar="CORPUS", help=", ".join(CORPORA))
    options = parser.parse_args()
    corpora = options.corpora or list(CORPORA)
    names = ("both", "lint only", "live only", "not judged", "precision", "recall")
    print(f"{'program':29}" + "".join(f"{name:>11}" for name in names))
    with tempfile.TemporaryDirectory() as temporary:
        keep = (options.lines or Path(temporary)).absolute()
        keep.mkdir(parents=True, exist_ok=True)
        scores: list[Score] = []
        for corpus in corpora:
            made = {
                "patterns": patterns,
                "third_party": lambda: third_party(options.python, keep, options.program),
                "unseen": lambda: unseen(options.python, keep, "_unseen"),
                "second": lambda: unseen(options.python, keep, "_second"),
                "third": lambda: unseen(options.python, keep, "_third"),
                "fourth": lambda: unseen(options.python, keep, "_fourth"),
                "workloads": lambda: workloads(keep),
            }[corpus]()
            part = []
            for one in made:
                part.append(one)
                show(one, options.details)
            if corpus == "third_party":
                tuned = [one for one in part if one.program in TUNED]
                others = [one for one in part if one.program not in TUNED]
                part += [
                    total(tuned, "tuned on (*)"),
                    total(others, "held out"),
                    total(part, "third party"),
                ]
                for one in part[-3:]:
                    show(one, details=False)
            if corpus in ("unseen", "second", "third", "fourth"):
                part.append(total(part, corpus))
                show(part[-1], details=False)
            scores += part
    if options.json:
        table = [asdict(one) | {"precision": one.precision, "recall": one.recall} for one in scores]
        options.json.write_text(json.dumps(table, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

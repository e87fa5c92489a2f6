"""Run patterns under the pretend device and judge what was recorded.

Every pattern becomes a real file with real line numbers (so that sites, source lookup and
`torch.jit.script` work), runs once, and yields a verdict.
"""

from __future__ import annotations

import contextlib
import io
import linecache
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from perfkit.detectors.evidence import Evidence, listening
from perfkit.model.syncs import Sync
from perfkit.pretend import pretend_cuda

from .pattern import Pattern, at_least, satisfied

_FAILURES: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a pattern may raise where the pretence fails it: a wrong verdict, and the table goes on."""

PRELUDE = """\
import contextlib, copy, io, math, pickle, threading, types
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

cx, cy = torch.arange(4.0), torch.ones(4)
cm, ci = torch.tensor([False, False, True, True]), torch.tensor([0, 2])
ct, cf, cflag = torch.tensor(2), torch.tensor(0.5), torch.tensor(True)
ca = torch.eye(4) * 2
x, y, m, i, t, f, flag, a = (v.clone().to("cuda") for v in (cx, cy, cm, ci, ct, cf, cflag, ca))
k = torch.tensor([1, 0, 3, 1], device="cuda")
lst = [10, 20, 30, 40]
"""


@dataclass(frozen=True)
class Verdict:
    """What one pattern gave.

    Attributes:
        seen: count per kind on the pattern's own line.
        elsewhere: syncs on other lines or in other files, as text.
        problem: why the verdict is wrong; empty when told right.
    """

    pattern: Pattern
    seen: dict[str, int]
    elsewhere: tuple[str, ...]
    problem: str

    @property
    def right(self) -> bool:
        return not self.problem


def applicable(patterns: Iterable[Pattern]) -> tuple[Pattern, ...]:
    """The patterns whose expectation was established for the torch at hand."""
    return tuple(pattern for pattern in patterns if pattern.holds_for(torch.__version__))


def run(pattern: Pattern, folder: Path) -> Verdict:
    """Run one pattern with files in `folder` and judge it."""
    file = folder / f"{pattern.name.replace(' ', '_').replace('/', '_')}.py"
    before, during, line = _source(pattern)
    file.write_text(before + during, encoding="utf-8")
    linecache.checkcache(str(file))
    try:
        records = _execute(pattern, before, during, str(file))
    except _FAILURES as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"raised {type(error).__name__}: {str(error).splitlines()[:1]} at {where.filename}"
        return Verdict(pattern, {}, (), f"{text}:{where.lineno}")
    return judge(pattern, records, str(file), line)


def _source(pattern: Pattern) -> tuple[str, str, int]:
    """(set-up, listened-to code, number of the pattern's line in the whole file)."""
    before = PRELUDE + (pattern.setup.rstrip("\n") + "\n" if pattern.setup else "")
    head, mark, _ = pattern.frame.partition("{line}")
    assert mark, f"{pattern.name}: the frame has no {{line}}"
    during = pattern.frame.replace("{line}", pattern.line) + "\n"
    return before, during, before.count("\n") + head.count("\n") + 1


def _execute(pattern: Pattern, before: str, during: str, file: str) -> tuple[Sync, ...]:
    scope: dict[str, Any] = {"__name__": "pattern"}
    evidence = Evidence()
    padding = "\n" * before.count("\n")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), pretend_cuda():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        # torch.compile, used by anyone in this process, turns validation off for good
        torch.distributions.Distribution.set_default_validate_args(True)
        exec(compile(before, file, "exec"), scope)
        code = compile(padding + during, file, "exec")
        try:
            with listening(evidence):
                exec(code, scope)
        finally:
            exec(compile(pattern.cleanup, file, "exec"), scope)
    return evidence.records()


def judge(pattern: Pattern, records: Sequence[Sync], file: str, line: int) -> Verdict:
    """Compare records with the expectation: kinds, counts, directions, certainty and place."""
    seen: Counter[str] = Counter()
    elsewhere: list[str] = []
    problems: list[str] = []
    for record in records:
        site = record.site
        if pattern.anywhere or (site and (site.file, site.line) == (file, line)):
            seen[record.kind] += record.count
        else:
            elsewhere.append(f"{record.kind}×{record.count} at {site}")
        wanted = pattern.direction(record.kind)
        if wanted is not None and record.direction != wanted:
            problems.append(f"{record.kind} has direction {record.direction}, not {wanted}")
        if pattern.certain is not None and record.certain is not pattern.certain:
            problems.append(f"{record.kind} is certain={record.certain}")
    left = Counter(seen)
    for kinds, wanted_count in pattern.expected.items():
        got = sum(left.pop(kind, 0) for kind in kinds.split("|"))
        if not satisfied(wanted_count, got):
            problems.append(f"{kinds}: {got}, not {wanted_count}")
    problems += [f"{kind}: {count} not expected" for kind, count in left.items()]
    problems += [f"misplaced: {text}" for text in elsewhere]
    return Verdict(pattern, dict(seen), tuple(elsewhere), "; ".join(problems))


@dataclass(frozen=True)
class Totals:
    """Precision and recall over many patterns, by line and by count.

    A line is right to be reported when its pattern expects anything. By count, every expected sync
    found under an accepted kind on the right line is a hit; every other record is false.
    """

    patterns: int
    right: int
    line_hits: int
    line_false: int
    line_missed: int
    hits: int
    false: int
    missed: int


def totals(verdicts: Sequence[Verdict]) -> Totals:
    """Sum verdicts."""
    lines: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for verdict in verdicts:
        expects, reports = bool(verdict.pattern.expected), bool(verdict.seen or verdict.elsewhere)
        lines["hit"] += expects and bool(verdict.seen)
        lines["missed"] += expects and not verdict.seen
        lines["false"] += (reports and not expects) + len(verdict.elsewhere) * expects
        counts.update(_counted(verdict))
    return Totals(
        patterns=len(verdicts),
        right=sum(verdict.right for verdict in verdicts),
        line_hits=lines["hit"],
        line_false=lines["false"],
        line_missed=lines["missed"],
        hits=counts["hit"],
        false=counts["false"],
        missed=counts["missed"],
    )


def _counted(verdict: Verdict) -> Counter[str]:
    left = Counter(verdict.seen)
    counts: Counter[str] = Counter(false=len(verdict.elsewhere))
    for kinds, wanted in verdict.pattern.expected.items():
        got = sum(left.pop(kind, 0) for kind in kinds.split("|"))
        enough = got if satisfied(wanted, got) else min(got, at_least(wanted))
        counts["hit"] += enough
        counts["missed"] += max(0, at_least(wanted) - got)
        counts["false"] += got - enough
    counts["false"] += left.total()
    return counts


def ratio(part: int, rest: int) -> float | None:
    """part / (part + rest); None where there is nothing to divide."""
    return part / (part + rest) if part + rest else None

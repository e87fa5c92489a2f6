"""What torch.compile did, by code object: how often, how long, why again, and where graphs break.

A version is one compilation of a code object for one set of guards; a second one is made when a guard
fails. Versions made in warm-up steps are normal: the first, and one more when a size turns out to
change (torch then makes it symbolic). A late version is made in a step that ran as the program runs
by itself: bare, light, or after measuring; in deep steps compiled code runs uncompiled. What follows
a graph break is a code object of its own, `torch_dynamo_resume_in_<function>_at_<line>`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.compiler import Compilation, CompilerRecord, GraphBreak
from perfkit.model.events import ANNOTATIONS, HOST_OPS, Events
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from perfkit.model.table import Column, Table

GuardKind = Literal["shape", "value", "type", "state", "other"]
COLUMNS = (
    Column("file"),
    Column("line"),
    Column("function"),
    Column("versions"),
    Column("compile_ns", "ns"),
    Column("late_versions"),
    Column("late_ns", "ns"),
    Column("breaks"),
    Column("last_guard"),
)
_BY_ITSELF = ("bare", "light", "after")
_HIDES = "torch/_dynamo/external_utils.py"
_REGION = "Torch-Compiled Region: "
_RESUMED = re.compile(r"torch_dynamo_resume_in_(?P<function>.+)_at_(?P<line>\d+)$")
_ARGUMENT = re.compile(
    r"L\['([^']+)'\]|tensor '([^'\[]+)'|check_(?:type|obj)_id\(([\w.\[\]]+),|(\w+) =="
)
_KINDS: tuple[tuple[GuardKind, re.Pattern[str]], ...] = (
    ("shape", re.compile(r"size mismatch|rank mismatch|stride mismatch|\.size\(\)|\bEq\(|\bNe\(")),
    ("state", re.compile(r"grad_mode|global_state|GLOBAL_STATE|autocast|mode_stack|requires_grad")),
    ("type", re.compile(r"check_type_id|check_obj_id|dtype mismatch|device mismatch")),
    ("value", re.compile(r"==|\bis\b|\bin\b|^not ")),
)  # fmt: skip


@dataclass(frozen=True)
class Guard:
    """A guard that failed: what it is about, of which argument (None unknown), and torch's words."""

    kind: GuardKind
    argument: str | None
    text: str


@dataclass(frozen=True)
class CompiledCode:
    """One code object and what compiling it took.

    Attributes:
        place: the function's first line; of the rest of a function, the line it goes on at.
        versions: its compilations in order, backward halves and refusals left out.
        ns: all its compilations together, backward halves included; None where torch did not say.
        late, late_ns: those versions, but for the first, that were made in steps undisturbed by us.
        refused: why torch makes no further version and runs the code uncompiled; None while it does.
        guards: why each version but the first was made, as far as torch said.
    """

    place: Frame
    versions: tuple[Compilation, ...]
    ns: int | None
    late: int
    late_ns: int | None
    refused: str | None
    guards: tuple[Guard, ...]

    @property
    def name(self) -> str:
        """`forward`, or `forward after line 9`; torch hides its own modules behind a function."""
        if self.place.file.replace("\\", "/").endswith(_HIDES):
            return "a module of torch"
        found = _RESUMED.match(self.place.function)
        if found is None:
            return self.place.function
        return f"{found['function']} after line {found['line']}"


@dataclass(frozen=True)
class BrokenLine:
    """A line of the user at which graphs end: torch's reasons, and how often per step."""

    place: Frame
    reasons: tuple[str, ...]
    per_step: float | None


def compiler_record(run: Run) -> CompilerRecord:
    """What the compiler did.

    Raises:
        NotApplicable: nothing was compiled.
        NotObservable: nobody looked, or compiled code ran uncompiled.
    """
    if run.device == "pretend-cuda":
        if any(gap.what == "torch.compile" for gap in run.gaps):
            raise NotObservable(
                "compiled code runs uncompiled on the pretended device; "
                "perfkit profile --device cpu lets the compiler work"
            )
        raise NotApplicable("the program compiles nothing")
    if run.compiler is None:
        regions = isinstance(run.events, Events) and _regions(run.events)
        if isinstance(run.events, Events) and run.source == "trace" and not regions:
            raise NotApplicable("the trace shows no compiled code")
        raise NotObservable("what the compiler did was not recorded; perfkit profile records it")
    if not run.compiler.compilations:
        raise NotApplicable("the program compiles nothing")
    return run.compiler


def compiled_code(run: Run) -> tuple[CompiledCode, ...]:
    """Every code object that was compiled, the one that took longest first.

    Raises:
        NotApplicable, NotObservable: as `compiler_record`.
    """
    record = compiler_record(run)
    late = {step.index for step in run.steps if step.instrument in _BY_ITSELF}
    groups: dict[tuple[str, Frame], list[Compilation]] = defaultdict(list)
    for each in record.compilations:
        if each.place is not None:
            groups[each.frame.partition("/")[0], each.place].append(each)
    found = [_code(place, group, late) for (_, place), group in groups.items()]
    return tuple(sorted(found, key=lambda code: -(code.ns or 0)))


def broken_lines(run: Run) -> tuple[BrokenLine, ...]:
    """Every line at which a graph ends, in the order in which they were met.

    Raises:
        NotApplicable, NotObservable: as `compiler_record`.
    """
    record = compiler_record(run)
    lines: dict[tuple[str, int], list[GraphBreak]] = defaultdict(list)
    for each in record.breaks:
        if each.place is not None:
            lines[each.place.file, each.place.line].append(each)
    entered = _entered(run, record)
    return tuple(
        BrokenLine(place, tuple(dict.fromkeys(b.reason for b in breaks)), entered.get(key))
        for key, breaks in lines.items()
        if (place := breaks[0].place) is not None
    )


def guard(reason: str) -> Guard:
    """What torch's words for a failed guard say; its number, comment and stack are left out."""
    text = reason.partition("\nUser stack trace")[0].partition(" # ")[0].strip()
    text = re.sub(r"^\d+/\d+: ", "", text).strip()
    kind: GuardKind = next((name for name, words in _KINDS if words.search(text)), "other")
    named = _ARGUMENT.search(text)
    return Guard(kind, next(filter(None, named.groups()), None) if named else None, text)


def compile_table(codes: Iterable[CompiledCode], lines: Iterable[BrokenLine]) -> Table:
    """One row per code object; the breaks that end it are counted by its file and function."""
    breaks = Counter((line.place.file, line.place.function) for line in lines)
    rows = tuple(
        (
            code.place.file,
            code.place.line,
            code.name,
            len(code.versions),
            code.ns,
            code.late,
            code.late_ns,
            breaks[code.place.file, code.place.function],
            code.guards[-1].text if code.guards else None,
        )
        for code in codes
    )
    return Table(COLUMNS, rows)


def _code(place: Frame, group: list[Compilation], late: set[int]) -> CompiledCode:
    versions = tuple(each for each in group if not each.backward and each.failed is None)
    again = [each for each in versions if each.version]
    mine = [each for each in again if each.step in late]
    refused = next((e.failed for e in group if e.failed and "limit" in e.failed), None)
    return CompiledCode(
        place=place,
        versions=versions,
        ns=_sum(group),
        late=len(mine),
        late_ns=_sum(mine),
        refused=refused,
        guards=tuple(guard(each.reason) for each in again if each.reason),
    )


def _sum(group: Iterable[Compilation]) -> int | None:
    """All of it; None where any is unknown, refusals aside."""
    times = [each.ns for each in group if each.failed is None]
    return None if None in times else sum(ns or 0 for ns in times)


def _regions(events: Events) -> list[int]:
    return [code for code, name in enumerate(events.names) if name.startswith(_REGION)]


def _entered(run: Run, record: CompilerRecord) -> dict[tuple[str, int], float]:
    """How often per step compiled code is entered that goes on after a break in a line."""
    if not isinstance(run.events, Events):
        return {}
    windows = run.events.steps()
    if not windows or not _regions(run.events):
        return {}
    lines: dict[str, tuple[str, int]] = {}
    for each in record.compilations:
        found = _RESUMED.match(each.place.function) if each.place else None
        if each.place and found:
            lines[each.frame.partition("/")[0]] = each.place.file, int(found["line"])
    counts: Counter[tuple[str, int]] = Counter()
    for number, times in _entries(run.events).items():
        if number in lines:
            counts[lines[number]] += times
    return {line: count / len(windows) for line, count in counts.items()}


def _entries(events: Events) -> Counter[str]:
    """How often the code with each number was entered inside the steps."""
    windows = events.steps()
    edges = np.array([(w.start_ns, w.end_ns) for w in windows], np.int64)
    host = events.of((*ANNOTATIONS, *HOST_OPS))
    counts: Counter[str] = Counter()
    for code in _regions(events):
        at = events.start[host & (events.name == code)]
        inside = np.diff(np.searchsorted(at, edges), axis=1)
        counts[events.names[code][len(_REGION) :].partition("/")[0]] += int(inside.sum())
    return counts

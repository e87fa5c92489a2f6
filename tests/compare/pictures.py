"""Diagnoses drawn from a few words: sync points, findings and facts."""

from __future__ import annotations

from perfkit.model.diagnosis import Coverage, Diagnosis, Finding, Outcome, Saving, State, Verdict
from perfkit.model.syncs import Frame
from perfkit.model.table import Cell, Column, Table

_COLUMNS = ("file", "line", "function", "code", "op", "kind", "direction", "phase", "per_step")


def point(line: int, code: str | None, per_step: float = 1.0, **other: Cell) -> dict[str, Cell]:
    """A `.item()` in `forward` of /p/model.py."""
    row: dict[str, Cell] = {
        "file": "/p/model.py",
        "line": line,
        "function": "forward",
        "code": code,
        "op": "aten::item",
        "kind": "item",
        "direction": "d2h",
        "phase": "forward",
        "per_step": per_step,
    }
    return row | other


def finding(
    line: int, code: str = "", likely_ns: int | None = None, title: str = "waits"
) -> Finding:
    saving = (
        None if likely_ns is None else Saving(likely_ns // 2, likely_ns, 2 * likely_ns, "guess")
    )
    return Finding(title, Frame("/p/model.py", line, "forward"), code, saving=saving, fix="do not")


def outcome(rule: str, *findings: Finding, state: State | None = None, reason: str = "") -> Outcome:
    return Outcome(rule, state or ("found" if findings else "clear"), reason or None, findings)


def diagnosis(
    *points: dict[str, Cell],
    run: str = "run",
    outcomes: tuple[Outcome, ...] = (Outcome("host-wait-in-step", "clear"),),
    steps: tuple[int, ...] = (),
    facts: dict[str, str] | None = None,
) -> Diagnosis:
    rows = tuple(tuple(each[name] for name in _COLUMNS) for each in points)
    of_steps = tuple((index, "bare", duration) for index, duration in enumerate(steps))
    tables = {
        "sync_points": Table(tuple(map(Column, _COLUMNS)), rows),
        "steps": Table((Column("index"), Column("instrument"), Column("duration_ns")), of_steps),
    }
    return Diagnosis(run, Verdict("", "", ""), Coverage(0, ""), outcomes, tables, facts or {})

"""Getting the next batch: what steps and devices wait for it, and what the loader's rules say."""

from __future__ import annotations

from statistics import mean

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.report import _words
from perfkit.report.blocks import Block, Cell, Facts, Grid, Head, Part

ORDER = 63
_RULES = ("input-bound", "read-bound", "cpu-starved", "unpinned-copy")
_LOOKED = ("found", "clear")


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where no time was spent on loading and no rule could look at it."""
    pairs = [*_steps(diagnosis), *_idle(diagnosis)]
    rules = [o for o in diagnosis.outcomes if o.rule in _RULES and o.state in _LOOKED]
    loaders = [o for o in rules if o.rule in _RULES[:2]]
    if not pairs and not loaders:
        return None
    parts: list[Part] = [Facts(tuple(pairs), prose=True)] if pairs else []
    if rules:
        rows = tuple(
            (Cell(o.rule, o.rule), Cell(_words.STATES[o.state]), Cell(o.reason or "–"))
            for o in rules
        )
        parts.append(Grid((Head("Rule", "code"), Head("Outcome"), Head("Looked at")), rows))
    lead = "Per step, from traced steps; idle devices over all of them."
    return Block("input", "Input pipeline", tuple(parts), lead, "Input")


def _steps(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """The host's time in the loader, mean over traced steps."""
    table = diagnosis.tables.get("step_breakdown")
    rows = [r for r in table.records() if r["part"] == "loading"] if table else []
    times, shares = _known(rows, "time_ns"), _known(rows, "share")
    if not any(times):
        return []
    told = f"{_words.duration(mean(times))}, {_words.share(mean(shares))} of the step"
    return [("the host loads data", told), ("at most", _words.duration(max(times)))]


def _idle(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """Each device's idle time while the host loaded."""
    table = diagnosis.tables.get("device_idle")
    rows = [r for r in table.records() if r["cause"] == "loading"] if table else []
    return [
        (
            f"device {row['device']} idle meanwhile",
            f"{_words.duration(row['idle_ns'])}, {_words.share(row['share'])} of the steps",
        )
        for row in rows
    ]


def _known(rows: list[dict[str, Value]], column: str) -> list[float]:
    return [float(v) for row in rows if isinstance(v := row[column], (int, float))]

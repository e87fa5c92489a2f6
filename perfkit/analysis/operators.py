"""Which operators and kernels take the time of a step, from the light steps."""

from __future__ import annotations

from perfkit.base.errors import NotObservable
from perfkit.model.run import OpStat, Run
from perfkit.model.table import Column, Table

_ROWS = 200
_DISPATCH_MODE = "PythonDispatchMode"
_OURS = "perfkit's pretend device (no part of the program)"
COLUMNS = (
    Column("name"),
    Column("place"),
    Column("calls", "per step"),
    Column("self_ns", "ns"),
    Column("total_ns", "ns"),
    Column("device_ns", "ns"),
    Column("share", "ratio"),
)


def operators_table(run: Run) -> Table:
    """Operators by self time per step; `share` is of all self time on the same side.

    Raises:
        NotObservable: no step was traced.
    """
    steps = len(run.steps_measured("light"))
    if not run.ops or not steps:
        raise NotObservable("no step was traced, so operators were not timed")
    totals = {"host": 0, "device": 0}
    for op in run.ops:
        totals[op.place] += op.self_ns
    ranked = sorted(run.ops, key=lambda op: (-op.self_ns, op.name))[:_ROWS]
    rows = tuple(
        (
            _OURS if op.name == _DISPATCH_MODE and run.device == "pretend-cuda" else op.name,
            op.place,
            op.calls / steps,
            round(op.self_ns / steps),
            round(op.total_ns / steps),
            None if op.device_ns is None else round(op.device_ns / steps),
            op.self_ns / totals[op.place] if totals[op.place] else None,
        )
        for op in ranked
    )
    return Table(COLUMNS, rows)


def device_time_attributed(run: Run) -> float | None:
    """Share of device time whose launching operator is known; None without a device."""
    observed = sum(op.self_ns for op in run.ops if op.place == "device")
    if not observed:
        return None
    return min(1.0, sum(op.device_ns or 0 for op in _host(run)) / observed)


def most_called(run: Run) -> tuple[str, float] | None:
    """The host operator dispatched most often and its calls per step; None where not traced."""
    steps = len(run.steps_measured("light"))
    if not steps or not _host(run):
        return None
    op = max(_host(run), key=lambda op: (op.calls, op.name))
    return op.name, op.calls / steps


def _host(run: Run) -> list[OpStat]:
    return [op for op in run.ops if op.place == "host"]

"""The two costs of each sync in a trace: the host's wait, and the device's idle time after it."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.report import _words
from perfkit.report._text import short_names
from perfkit.report.blocks import Block, Cell, Grid, Head, Text

ORDER = 37
_ROWS = 40


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where no trace of a device was read."""
    table = diagnosis.tables.get("sync_waits")
    if table is None:
        return None
    title = "What each wait cost"
    if not table.rows:
        return Block("waits", title, (Text("No call of the trace waits for the device."),))
    records = table.records()
    names = short_names(str(row["file"]) for row in records if row["file"] is not None)
    heads = (
        Head("Operator", "code"),
        Head("Line", "code"),
        Head("Waits in", "code"),
        Head("Calls", "number"),
        Head("Host waited", "number"),
        Head("Device idle after", "number"),
        Head("To win", "number"),
        Head("Verdict"),
    )
    idle = diagnosis.tables.get("device_idle")
    devices = {row["device"] for row in idle.records()} if idle else set()
    several = len({*devices, *(row.get("device") for row in records)}) > 1
    lead = (
        "Over the whole trace. Queue drain: the host waited for a busy device, nearly free. Bubble: "
        "the device ran dry because of the wait. CPU-bound: the device was idle before the wait "
        "began, so the host is late for another reason."
    )
    return Block(
        "waits",
        title,
        (Grid(heads, tuple(_row(row, names, several) for row in records), first=_ROWS),),
        lead,
        "Wait costs",
    )


def _row(row: dict[str, Value], names: dict[str, str], several: bool) -> tuple[Cell, ...]:
    line = Cell("–")
    if row["file"] is not None:
        file = str(row["file"])
        line = Cell(f"{names[file]}:{row['line']}", detail=str(row["function"] or ""), hint=file)
    return (
        Cell(str(row["op"]), detail=str(row["kind"])),
        line,
        Cell(str(row["call"])),
        Cell(_words.per_step(row["calls"])),
        Cell(_words.duration(row["waited_ns"])),
        Cell(_words.duration(row["idle_ns"]), detail=_device(row) if several else ""),
        Cell(_words.duration(row["lost_ns"])),
        Cell(str(row["verdict"])),
    )


def _device(row: dict[str, Value]) -> str:
    device = row.get("device")
    return "of an unknown device" if device is None else f"of device {device}"

"""The DataLoaders that were iterated over: their settings, and what getting a batch takes."""

from __future__ import annotations

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.table import Cell as Value
from perfkit.report import _words
from perfkit.report.blocks import Block, Cell, Grid, Head

ORDER = 68


def section(diagnosis: Diagnosis) -> Block | None:
    """Silent where no loader was watched."""
    table = diagnosis.tables.get("loaders")
    if table is None or not table.rows:
        return None
    heads = (
        Head("Dataset", "code"),
        Head("Workers", "number"),
        Head("Pinned"),
        Head("Batches", "number"),
        Head("Median wait", "number"),
        Head("Tensors of a batch", "number"),
        Head("To hand them over", "number"),
    )
    grid = Grid(heads, tuple(_row(row) for row in table.records()))
    lead = (
        "The wait is the main process's for one batch. Handing over is what each batch from a worker "
        "costs it, estimated from the number of tensors."
    )
    return Block("loaders", "DataLoaders", (grid,), lead)


def _row(row: dict[str, Value]) -> tuple[Cell, ...]:
    samples = f"{row['batch_size']} samples a batch" if row["batch_size"] else ""
    ahead = f"{row['prefetch_factor']} batches ahead each" if row["prefetch_factor"] else ""
    kept = "kept between epochs" if row["persistent_workers"] else ""
    return (
        Cell(_words.text(row["dataset"]), detail=samples),
        Cell(_words.text(row["num_workers"]), detail=", ".join(filter(None, (ahead, kept)))),
        Cell(_words.text(row["pin_memory"])),
        Cell(_words.text(row["batches"])),
        Cell(_words.duration(row["wait_ns"])),
        Cell(_words.per_step(row["tensors"]), detail=_size(row["nbytes"])),
        Cell(_words.duration(row["hand_over_ns"])),
    )


def _size(value: Value) -> str:
    return _words.size(value) if value is not None else ""

"""Costs of operators on disk: `costs.parquet`, one row per `OpCost`, places as three columns."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from perfkit.base.files import replacing
from perfkit.model.costs import OpCost
from perfkit.model.syncs import Frame

FILE = "costs.parquet"
SCHEMA = "perfkit.costs/1"

_PLAIN = tuple(item.name for item in fields(OpCost) if item.name != "place")
_FLAGS = ("recomputed",)
_WHOLE = ("calls", "flops", "read", "written", "host_ns", "device_ns", "kernels", "line")


def write_costs(path: Path, costs: tuple[OpCost, ...]) -> None:
    """Write all rows to `path`; text that is not Unicode is written with escapes.

    Raises:
        PerfkitError: the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[Any]] = {name: [getattr(c, name) for c in costs] for name in _PLAIN}
    for name in ("file", "line", "function"):
        columns[name] = [None if c.place is None else getattr(c.place, name) for c in costs]
    arrays = {
        name: pa.array(values, pa.int64())
        if name in _WHOLE
        else pa.array(values, pa.bool_())
        if name in _FLAGS
        else pa.array([_text(value) for value in values], pa.string()).dictionary_encode()
        for name, values in columns.items()
    }
    table = pa.table(arrays).replace_schema_metadata({"schema": SCHEMA})
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_costs(path: Path) -> tuple[OpCost, ...]:
    """The rows of `path`.

    Raises:
        FileNotFoundError: there is no such file.
        OSError, ValueError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # opened here: handed over as a path, a damaged file cannot be told from a missing one
        with path.open("rb") as stream:
            table = pq.read_table(stream)
        schema = (table.schema.metadata or {}).get(b"schema", b"").decode("utf-8", "replace")
        if schema != SCHEMA:
            raise ValueError(f"its schema is {schema!r}, not {SCHEMA}")
        return tuple(_cost(row) for row in table.to_pylist())
    except (pa.ArrowException, TypeError, LookupError) as error:
        raise ValueError(str(error)) from error


def _cost(row: dict[str, Any]) -> OpCost:
    file, line, function = (row.pop(name) for name in ("file", "line", "function"))
    return OpCost(**row, place=None if file is None else Frame(file, line, function))


def _text(value: str | None) -> str | None:
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()

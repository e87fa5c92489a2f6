"""Samples on disk: one Parquet file, a row per subject and moment, a column per quantity.

`pandas.read_parquet(path)` shows it as it is; units, reasons and clocks are in the file's metadata.
An empty cell is "not available at this moment".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perfkit.base.files import replacing
from perfkit.model.gap import Gap
from perfkit.model.samples import Samples, Series

SCHEMA = "perfkit.samples/1"
FILE = "samples.parquet"
_KEY = b"perfkit"
_SUBJECT, _TIME = "subject", "time_ns"


def write_samples(path: Path, samples: Sequence[Samples]) -> None:
    """Write all subjects into one file.

    Raises:
        PerfkitError: the folder cannot be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    names = list(dict.fromkeys(name for each in samples for name in each.series))
    subjects = [each.subject for each in samples for _ in range(len(each))]
    columns: dict[str, Any] = {
        _SUBJECT: pa.array(subjects, pa.string()).dictionary_encode(),
        _TIME: np.concatenate([each.time for each in samples] or [np.zeros(0, np.int64)]),
    }
    for name in names:
        parts = [_values(each, name) for each in samples]
        columns[name] = pa.array(np.concatenate(parts), pa.float64(), from_pandas=True)
    about = {"schema": SCHEMA, "subjects": [_about(each) for each in samples]}
    table = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(about).encode()})
    with replacing(path) as temporary:
        parquet.write_table(table, temporary, compression="zstd")


def read_samples(path: Path) -> tuple[Samples, ...]:
    """Open what `write_samples` wrote.

    Raises:
        FileNotFoundError: there is none.
        OSError, ValueError, LookupError, TypeError: it is damaged or of an unknown schema.
    """
    from pyarrow import parquet

    table = parquet.read_table(path)
    about = json.loads((table.schema.metadata or {})[_KEY])
    if about["schema"] != SCHEMA:
        raise ValueError(f"schema {about['schema']!r} is not known")
    columns = {
        name: table.column(name).to_numpy().astype(np.float64)
        for name in table.column_names
        if name not in (_SUBJECT, _TIME)
    }
    time = table.column(_TIME).to_numpy().astype(np.int64)
    first, found = 0, []
    for each in about["subjects"]:
        rows = slice(first, first + int(each["samples"]))
        first = rows.stop
        found.append(_samples(each, time[rows], {k: v[rows] for k, v in columns.items()}))
    if first != len(time):
        raise ValueError(f"{len(time)} rows for {first} samples")
    return tuple(found)


def _values(samples: Samples, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """One quantity of one subject, all NaN where it has none."""
    series = samples.series.get(name)
    return np.full(len(samples), np.nan) if series is None else series.values


def _about(samples: Samples) -> dict[str, Any]:
    return {
        "subject": samples.subject,
        "samples": len(samples),
        "wall_offset_ns": samples.wall_offset_ns,
        "units": {name: series.unit for name, series in samples.series.items()},
        "identity": dict(samples.identity),
        "unavailable": [[gap.what, gap.why] for gap in samples.unavailable],
        "hertz": samples.hertz,
        "cost_ns": samples.cost_ns,
    }


def _samples(about: dict[str, Any], time: Any, columns: dict[str, Any]) -> Samples:
    return Samples(
        subject=str(about["subject"]),
        time=time,
        wall_offset_ns=int(about["wall_offset_ns"]),
        series={name: Series(unit, columns[name]) for name, unit in about["units"].items()},
        identity=about["identity"],
        unavailable=tuple(Gap(what, why) for what, why in about["unavailable"]),
        hertz=float(about["hertz"]),
        cost_ns=about["cost_ns"],
    )

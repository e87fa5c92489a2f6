"""`Peaks` as JSON: what the cache of measured peaks and run directories hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_args

from perfkit.model.peaks import Origin, Peak, Peaks

SCHEMA = "perfkit.peaks/1"
_ORIGINS: tuple[Origin, ...] = get_args(Origin)
_SINGLE = (
    "bandwidth",
    "launch_ns",
    "host_op_ns",
    "sync_ns",
    "h2d_pinned",
    "h2d_pageable",
    "d2h_pinned",
    "d2h_pageable",
)


def to_json(peaks: Peaks) -> dict[str, Any]:
    """Plain data with the schema in it."""
    return {"schema": SCHEMA, **asdict(peaks)}


def from_json(data: object) -> Peaks:
    """The figures back.

    Raises:
        ValueError: it is something else, or holds a figure that cannot be one.
    """
    if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
        raise ValueError(f"no {SCHEMA}")
    device, clock, units = data.get("device"), data.get("clock", ""), data.get("compute_units")
    if not isinstance(device, str) or not isinstance(clock, str):
        raise ValueError("the device or its clock is no text")
    if units is not None and (not isinstance(units, int) or units <= 0):
        raise ValueError(f"{units!r} compute units")
    single = {name: _peak(data.get(name)) for name in _SINGLE}
    matmul, vector = _several(data.get("matmul", {})), _several(data.get("vector", {}))
    return Peaks(device, matmul, vector, compute_units=units, clock=clock, **single)


def _several(data: object) -> dict[str, Peak]:
    if not isinstance(data, Mapping):
        raise ValueError("the figures by dtype are no table")
    found = {str(dtype): _peak(value) for dtype, value in data.items()}
    return {dtype: peak for dtype, peak in found.items() if peak is not None}


def _peak(data: object) -> Peak | None:
    if data is None:
        return None
    if not isinstance(data, Mapping):
        raise ValueError("a figure is no table")
    value, source = data.get("value"), data.get("source")
    origin = next((known for known in _ORIGINS if known == data.get("origin")), None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"a figure of {value!r}")
    if not math.isfinite(value) or value <= 0:
        raise ValueError(f"a figure of {value!r}")
    if origin is None or not isinstance(source, str):
        raise ValueError("a figure without origin and source")
    return Peak(float(value), origin, source)

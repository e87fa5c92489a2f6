"""Costs and peaks in round numbers: what the roofline tests are drawn with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from perfkit.model.costs import OpCost
from perfkit.model.peaks import Peak, Peaks

TERA = 10**12


def peak(value: float) -> Peak:
    return Peak(value, "tabulated", "a test")


GPU = Peaks(
    "GPU",
    matmul={"tf32": peak(8 * TERA), "bfloat16": peak(16 * TERA), "float8_e4m3fn": peak(32 * TERA)},
    vector={"float32": peak(TERA)},
    bandwidth=peak(TERA),
    launch_ns=peak(5_000),
)
"""1 FLOP/ps outside of tensor cores, 1 byte/ps: the ridge of float32 is at 1 FLOP per byte."""

CPU = Peaks(
    "CPU",
    matmul={"float32": peak(TERA)},
    vector={"float32": peak(TERA)},
    bandwidth=peak(TERA),
    host_op_ns=peak(1_000),
)


def row(op: str = "aten::add", us: float = 1.0, **fields: Any) -> OpCost:
    """Memory traffic of so many µs on either device, without arithmetic."""
    nbytes = round(us * 1e6)
    cost = OpCost(op, "f32[8] x f32[8]", 1, 0, nbytes // 2, nbytes - nbytes // 2, dtype="float32")
    return replace(cost, **fields)


def product(us: float = 1.0, **fields: Any) -> OpCost:
    """A float32 product of so many µs on the vector units, with no bytes to speak of."""
    shapes = "f32[512,64] x f32[64,512]"
    cost = OpCost("aten::mm", shapes, 1, round(us * 1e6), 1, 1, "matmul", "float32")
    return replace(cost, **fields)


def unknown(op: str = "mylib::odd", **fields: Any) -> OpCost:
    return replace(OpCost(op, "f32[8]", 1, unknown=f"no cost model for {op}"), **fields)

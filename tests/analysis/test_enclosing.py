"""The innermost interval around a moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from perfkit.analysis._enclosing import innermost
from perfkit.io.chrome import read_trace
from perfkit.model.events import HOST_OPS
from tests.kineto_traces import HOST, document, span, write


def test_moments_of_two_threads(tmp_path: Path) -> None:
    spans = [
        span("cpu_op", "outer", 10, 80),
        span("cpu_op", "inner", 20, 10),
        span("cpu_op", "elsewhere", 10, 10, thread=7),
    ]
    events = read_trace(write(tmp_path / "t.json", document(spans)))
    moments = [(5, HOST), (15, HOST), (25, HOST), (40, HOST), (95, HOST), (15, 7), (25, 7), (15, 8)]
    first = int(events.start[0]) - 10_000
    time = np.array([at * 1000 + first for at, _ in moments])
    thread = np.array([tid for _, tid in moments])
    rows = innermost(events, events.of(HOST_OPS), time, thread)
    names = [events.name_of(row) if row >= 0 else None for row in rows.tolist()]
    assert names == [None, "outer", "inner", "outer", None, "elsewhere", None, None]
    nothing = np.zeros(len(events), np.bool_)
    assert innermost(events, nothing, time, thread).tolist() == [-1] * len(moments)

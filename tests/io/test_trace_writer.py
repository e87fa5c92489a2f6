from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from perfkit.base.errors import PerfkitError
from perfkit.io.chrome import read_trace
from perfkit.io.trace_writer import us, write_trace
from tests.kineto_traces import document, gpu_events, span, write


def written(tmp_path: Path, trace: object, **how: Any) -> dict[str, Any]:
    how = {"change": lambda event, position: event, "metadata": dict, **how}
    write_trace(write(tmp_path / "in.json", trace), tmp_path / "out.json", **how)
    found = json.loads((tmp_path / "out.json").read_bytes())
    assert isinstance(found, dict)
    return found


def test_a_trace_without_changes_reads_the_same(tmp_path: Path) -> None:
    trace = document(gpu_events(), x=[1, {"y": "é"}])
    found = written(tmp_path, trace)
    assert [{"args": {}, **e} for e in found.pop("traceEvents")] == [
        {"args": {}, **e} for e in gpu_events()
    ]
    assert found == {key: value for key, value in trace.items() if key != "traceEvents"}


def test_a_name_in_gz_makes_it_compressed(tmp_path: Path) -> None:
    source = write(tmp_path / "in.json", document(gpu_events()))
    write_trace(source, tmp_path / "out.json.gz", lambda event, position: event, dict)
    assert gzip.decompress((tmp_path / "out.json.gz").read_bytes()).startswith(b'{"traceEvents"')
    assert len(read_trace(tmp_path / "out.json.gz")) == len(read_trace(source))


def test_damage_is_mended_in_the_copy_and_told(tmp_path: Path) -> None:
    text = json.dumps(document(gpu_events())).encode()
    source = write(tmp_path / "in.json", text[: len(text) * 2 // 3])
    gaps = write_trace(source, tmp_path / "out.json", lambda event, position: event, dict)
    assert [gap.what for gap in gaps] == [gap.what for gap in read_trace(source).gaps] != []
    assert len(read_trace(tmp_path / "out.json")) == len(read_trace(source))


def test_nothing_is_left_where_the_source_is_no_trace(tmp_path: Path) -> None:
    source = write(tmp_path / "in.json", b"hello")
    with pytest.raises(PerfkitError):
        write_trace(source, tmp_path / "out.json", lambda event, position: event, dict)
    assert [path.name for path in tmp_path.iterdir()] == ["in.json"]


def test_events_are_dropped_moved_and_added(tmp_path: Path) -> None:
    trace = document([span("cpu_op", name, 1, 2) for name in ("a", "b")])
    found = written(
        tmp_path,
        trace,
        change=lambda event, position: event if event.name == "b" else None,
        times=lambda position: (5_007, 1),
        further=[msgspec.json.encode({"ph": "M", "name": "z"})],
    )
    events = [(e["name"], e.get("ts"), e.get("dur")) for e in found["traceEvents"]]
    assert events == [("b", 5.007, 0.001), ("z", None, None)]


def test_a_trace_without_events_stays_json(tmp_path: Path) -> None:
    assert written(tmp_path, document([]), metadata=lambda fields: {}) == {"traceEvents": []}


@pytest.mark.parametrize(
    ("ns", "digits"),
    [(0, b"0.000"), (1_767_189_312_000_001_007, b"1767189312000001.007"), (-5, b"-0.005")],
)
def test_nanoseconds_become_microseconds_without_loss(ns: int, digits: bytes) -> None:
    assert us(ns) == digits

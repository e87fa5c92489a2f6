from __future__ import annotations

import codecs
import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfkit.base.errors import PerfkitError
from perfkit.io import _chunks
from perfkit.io.chrome import read_trace
from perfkit.model.events import UNKNOWN, Events
from tests.kineto_traces import document, gpu_events, needs_corpus, span, write

GPU = json.dumps(document(gpu_events(), baseTimeNanoseconds=17), indent=1).encode()
ROWS = sum(event["ph"] == "X" for event in gpu_events())


def read(tmp_path: Path, data: object, name: str = "t.json") -> Events:
    events = read_trace(write(tmp_path / name, data))
    events.self_check()
    return events


def one(tmp_path: Path, **fields: object) -> Events:
    """A trace with one sound event and one with these fields instead of its own."""
    return read(
        tmp_path,
        document([span("cpu_op", "sound", 1, 1), {**span("cpu_op", "odd", 2, 1), **fields}]),
    )


def why(events: Events) -> str:
    return "; ".join(f"{gap.what}: {gap.why}" for gap in events.gaps)


# What must leave no trace of mending.


@pytest.mark.parametrize(
    "data",
    [
        GPU,
        json.dumps(document(gpu_events()), separators=(",", ":")).encode(),
        json.dumps(
            {"traceEvents": gpu_events(), "deviceProperties": [{"id": 0}, {"id": 1}]}
        ).encode(),
        json.dumps(gpu_events()).encode(),
        b"\n  " + GPU,
        codecs.BOM_UTF8 + GPU,
        GPU.replace(b'"ts": 1000.0', b'"tts": 3, "ts": 1000.0'),
        GPU.replace(b'"gemm"', '"gemm größer"'.encode()),
    ],
    ids=[
        "pretty",
        "minified",
        "metadata-last",
        "list",
        "indented",
        "bom",
        "unknown-field",
        "utf-8",
    ],
)
def test_sound_traces_are_read_without_gaps(tmp_path: Path, data: bytes) -> None:
    events = read(tmp_path, data)
    assert len(events) == ROWS
    assert events.gaps == ()


def test_gzip_members_after_another_are_one_trace(tmp_path: Path) -> None:
    data = gzip.compress(GPU[:1000]) + gzip.compress(GPU[1000:])
    (tmp_path / "t.json.gz").write_bytes(data)
    events = read_trace(tmp_path / "t.json.gz")
    assert (len(events), events.gaps) == (ROWS, ())


def test_an_empty_list_of_events_is_an_empty_trace(tmp_path: Path) -> None:
    events = read(tmp_path, {"schemaVersion": 1, "traceEvents": []})
    assert (len(events), events.gaps, events.steps()) == (0, (), ())


def test_metadata_events_alone_are_an_empty_trace(tmp_path: Path) -> None:
    events = read(tmp_path, document([{"ph": "M", "name": "process_name", "args": {"name": "x"}}]))
    assert (len(events), events.gaps) == (0, ())


# What is read.


def test_times_are_whole_nanoseconds_in_order(tmp_path: Path) -> None:
    events = read(
        tmp_path,
        document(
            [span("cpu_op", "b", 20.001, 5.74), span("cpu_op", "a", 1365627862757.064, 87412.863)]
        ),
    )
    assert events.start.tolist() == [20_001, 1_365_627_862_757_064]
    assert events.dur.tolist() == [5_740, 87_412_863]
    assert [events.name_of(row) for row in range(2)] == ["b", "a"]


def test_the_longer_of_two_that_start_together_comes_first(tmp_path: Path) -> None:
    events = read(tmp_path, document([span("cpu_op", "in", 1, 2), span("cpu_op", "out", 1, 9)]))
    assert [events.name_of(row) for row in range(2)] == ["out", "in"]
    assert events.order.tolist() == [1, 0]


def test_digits_beyond_a_float_are_kept(tmp_path: Path) -> None:
    text = json.dumps(document([span("cpu_op", "a", 1, 2)])).replace(
        '"ts": 1,', '"ts": 1712195495505848.619,'
    )
    assert read(tmp_path, text.encode()).start.tolist() == [1_712_195_495_505_848_619]


@pytest.mark.parametrize(
    "written",
    [
        ["1712195495505848.619", "1712195495505848.621", "1712195495505849.002"],
        ["9999999999999.999", "10000000000000.001", "10000000000000.003"],
        ["1712195495505848.61", "11712195495505848.621", "1712195495505849.0021"],
    ],
    ids=["equally long", "growing", "equally long together"],
)
def test_digits_beyond_a_float_stay_with_their_event(tmp_path: Path, written: list[str]) -> None:
    spans = [span("cpu_op", f"op{i}", 7_000 + i, 1) for i in range(3)]
    text = json.dumps(document(spans))
    for i, time in enumerate(written):
        text = text.replace(f'"ts": {7_000 + i}', f'"ts": {time}')
    path = tmp_path / "t.json"
    path.write_text(text)
    events = read_trace(path)
    exact = {f"op{i}": round(Decimal(time) * 1000) for i, time in enumerate(written)}
    found = {events.name_of(row): int(events.start[row]) for row in range(len(events))}
    assert found == {name: ns for name, ns in exact.items() if abs(ns) < 2**62}


def test_large_whole_microseconds_stay_exact(tmp_path: Path) -> None:
    events = read(tmp_path, document([span("cpu_op", "a", 1_712_195_495_505_849, 2)]))
    assert events.start.tolist() == [1_712_195_495_505_849_000]


def test_ids_stacks_and_sizes_are_read_where_the_category_has_them(tmp_path: Path) -> None:
    ids = {"correlation": 7, "External id": 9, "bytes": 16, "Call stack": "a.py(3): f"}
    events = read(
        tmp_path,
        document([span("cpu_op", "a", 1, 1, **ids), span("python_function", "b", 2, 1, **ids)]),
    )
    assert events.correlation.tolist() == [7, UNKNOWN]
    assert events.external.tolist() == [9, UNKNOWN]
    assert events.nbytes.tolist() == [16, UNKNOWN]
    assert [events.stack_of(row) for row in range(2)] == ["a.py(3): f", ""]


def test_old_spellings_of_categories_and_ids_are_understood(tmp_path: Path) -> None:
    names = ["Operator", "Runtime", "Kernel", "Memcpy", "Memset"]
    spans = [span(name, "x", ts, 1, **{"external id": 5}) for ts, name in enumerate(names)]
    events = read(tmp_path, document(spans))
    now = ["cpu_op", "cuda_runtime", "kernel", "gpu_memcpy", "gpu_memset"]
    assert [events.category_of(row) for row in range(5)] == now
    assert events.external.tolist() == [5] * 5


def test_textual_threads_get_labels(tmp_path: Path) -> None:
    events = read(
        tmp_path, document([{**span("cpu_op", "a", 1, 1), "tid": "stream 7", "pid": "12"}])
    )
    assert events.labels[int(events.tid[0])] == "stream 7"
    assert events.pid.tolist() == [12]


def test_begin_and_end_marks_become_intervals(tmp_path: Path) -> None:
    begin = {"ph": "B", "cat": "cpu_op", "name": "a", "pid": 1, "tid": 1, "ts": 5}
    end = {"ph": "E", "pid": 1, "tid": 1, "ts": 9.5}
    events = read(tmp_path, document([begin, end, {**begin, "name": "open"}, {**end, "tid": 2}]))
    assert (events.start.tolist(), events.dur.tolist()) == ([5_000], [4_500])
    assert "2 begin or end marks were dropped" in why(events)


def test_metadata_is_kept(tmp_path: Path) -> None:
    metadata = read(tmp_path, GPU).metadata
    assert metadata["baseTimeNanoseconds"] == 17
    assert metadata["deviceProperties"][0]["computeMajor"] == 9
    assert "traceEvents" not in metadata


def test_chunks_of_any_size_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cuts inside arguments that hold lists of objects must not be taken for event boundaries."""
    spans = [span("cpu_op", f"op{i}", i, 1, shapes=[{"a": 1}, {"b": "}, {"}]) for i in range(60)]
    monkeypatch.setattr(_chunks, "_CHUNK", 64)
    events = read(tmp_path, document(spans))
    assert [events.name_of(row) for row in range(60)] == [f"op{i}" for i in range(60)]
    assert events.order.tolist() == list(range(60))
    assert events.gaps == ()


# What is mended, and told.


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"dur": None}, "1 events count as instants: their duration is missing"),
        ({"dur": -3}, "1 events count as instants: their duration is negative"),
        ({"ts": "2.5"}, "1 events had fields of an unexpected type"),
        ({"name": None}, "1 events had fields of an unexpected type"),
        ({"name": 17}, "1 events had fields of an unexpected type"),
        ({"args": ["x"]}, "1 events lost their arguments"),
        ({"args": {"correlation": 2**70}}, "1 events lost their arguments"),
    ],
)
def test_an_event_with_an_odd_field_is_kept(
    tmp_path: Path, fields: dict[str, Any], told: str
) -> None:
    events = one(tmp_path, **fields)
    assert len(events) == 2
    assert told in why(events)


@pytest.mark.parametrize("args", [None, {}, {"correlation": -5}, {"correlation": None}])
def test_arguments_that_say_nothing_are_unknown(tmp_path: Path, args: object) -> None:
    events = one(tmp_path, args=args)
    assert events.correlation.tolist() == [UNKNOWN, UNKNOWN]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"ts": None}, "1 events were dropped: they have no usable start time"),
        ({"ts": "soon"}, "1 events were dropped: they have no usable start time"),
        ({"ts": 1e30}, "1 events were dropped: their times lie centuries away"),
        ({"dur": 1e30}, "1 events were dropped: their times lie centuries away"),
    ],
)
def test_an_event_without_a_usable_time_is_dropped(
    tmp_path: Path, fields: dict[str, Any], told: str
) -> None:
    events = one(tmp_path, **fields)
    assert len(events) == 1
    assert told in why(events)


def test_entries_that_are_no_objects_are_dropped(tmp_path: Path) -> None:
    events = read(tmp_path, {"traceEvents": [1, "x", None, [], span("cpu_op", "a", 1, 1)]})
    assert len(events) == 1
    assert "4 entries were dropped" in why(events)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'"gemm"', b'"ge\xffmm"', "not valid UTF-8"),
        (b'"gemm"', b'"ge\x01mm"', "control characters were blanked"),
        (b'"gemm"', b'"ge\\qmm"', "invalid escapes were mended"),
        (b'"gemm"', b'"ge\\ud800mm"', "invalid escapes were mended"),
        (b'"gemm"', b'"operator"" gemm"', "names with bare quotes were mended"),
        (b'"bytes": 4', b'"bytes": N/A', "values such as NaN"),
        (b'"bytes": 4', b'"bytes": NaN', "values such as NaN"),
        (b'"bytes": 4', b'"bytes": -Infinity', "values such as NaN"),
    ],
)
def test_damaged_texts_lose_no_event(tmp_path: Path, old: bytes, new: bytes, told: str) -> None:
    events = read(tmp_path, GPU.replace(old, new))
    assert len(events) == ROWS
    assert told in why(events)


def test_trailing_commas_lose_no_event(tmp_path: Path) -> None:
    text = json.dumps({"traceEvents": gpu_events()})
    events = read(tmp_path, text[:-2].encode() + b",],}")
    assert len(events) == ROWS
    assert "not valid JSON" in why(events)


def test_damage_in_one_event_costs_only_that_event(tmp_path: Path) -> None:
    events = read(tmp_path, GPU.replace(b'"aten::linear",', b'"aten::linear" @ ,', 1))
    assert len(events) == ROWS - 1
    assert "1 events were dropped: their JSON could not be mended" in why(events)


def test_metadata_survives_damage_to_the_events(tmp_path: Path) -> None:
    data = json.dumps(document([span("cpu_op", "a", 1, 1)])).replace('"a"', '"\\q"')
    assert read(tmp_path, data.encode()).metadata["schemaVersion"] == 1


def test_a_trace_that_stops_keeps_what_came_before(tmp_path: Path) -> None:
    events = read(tmp_path, GPU[: len(GPU) // 2])
    assert 0 < len(events) < ROWS
    assert "the JSON stops in the middle" in why(events)


def test_a_gzip_stream_that_stops_keeps_what_came_before(tmp_path: Path) -> None:
    spans = [span("cpu_op", f"op{i * i * 7919 % 65537}", i, 1) for i in range(3000)]
    data = gzip.compress(json.dumps(document(spans)).encode())
    (tmp_path / "t.json.gz").write_bytes(data[: len(data) * 3 // 4])
    events = read_trace(tmp_path / "t.json.gz")
    assert len(events) > 1000
    assert "the gzip stream stops early" in why(events)


def test_garbage_after_gzip_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "t.json.gz").write_bytes(gzip.compress(GPU) + b"garbage")
    events = read_trace(tmp_path / "t.json.gz")
    assert len(events) == ROWS
    assert "bytes after the gzip stream were ignored" in why(events)


def test_plain_json_under_a_gzip_name_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.json.gz").write_bytes(GPU)
    events = read_trace(tmp_path / "t.json.gz")
    assert len(events) == ROWS
    assert "named .gz but is not compressed" in why(events)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read(tmp_path: Path, encoding: str) -> None:
    events = read(tmp_path, ("\ufeff" + GPU.decode()).encode(encoding))
    assert len(events) == ROWS
    assert "UTF-16" in why(events)


# What is no trace.


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \n ", "is empty"),
        (b"<!DOCTYPE html><html>traceEvents</html>", "is a web page"),
        (b"# some notes", "is not a trace"),
        (b'{"a": 1}', "holds no list of events"),
        (b'{"traceEvents": null}', "holds no list of events"),
        (b'{"traceEvents": {"a": 1}}', "holds no list of events"),
        (b'{"a": ' + b"[" * 100_000, "is not a trace"),
    ],
)
def test_what_is_no_trace_is_one_clear_error(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(PerfkitError, match=said):
        read(tmp_path, data)


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PerfkitError, match="cannot read the trace"):
        read_trace(tmp_path / "nowhere.json")


# Any damage at all.

_FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def survives(path: Path, data: bytes) -> None:
    """A sound result or one PerfkitError, nothing else."""
    path.write_bytes(data)
    try:
        read_trace(path).self_check()
    except PerfkitError as error:
        assert str(path) in str(error)


@_FUZZ
@given(at=st.integers(0, len(GPU) - 1), byte=st.integers(0, 255))
def test_any_byte_may_be_corrupt(tmp_path: Path, at: int, byte: int) -> None:
    survives(tmp_path / "t.json", GPU[:at] + bytes([byte]) + GPU[at + 1 :])


@_FUZZ
@given(at=st.integers(0, len(GPU) - 1))
def test_the_text_may_be_cut_anywhere(tmp_path: Path, at: int) -> None:
    survives(tmp_path / "t.json", GPU[:at])


@_FUZZ
@given(data=st.data())
def test_the_gzip_stream_may_be_corrupt_or_cut_anywhere(
    tmp_path: Path, data: st.DataObject
) -> None:
    packed = gzip.compress(GPU, mtime=0)
    at = data.draw(st.integers(0, len(packed) - 1))
    changed = packed[:at] + bytes([data.draw(st.integers(0, 255))]) + packed[at + 1 :]
    survives(tmp_path / "t.json.gz", changed[: data.draw(st.integers(at, len(packed)))])


@_FUZZ
@given(
    pieces=st.lists(
        st.sampled_from(
            [b'{"ph":"X"', b"}", b",", b"{", b"[", b"]", b'"', b"\\", b'"ts":1', b":", b" "]
        )
    )
)
def test_any_soup_of_json_pieces_ends(tmp_path: Path, pieces: list[bytes]) -> None:
    survives(tmp_path / "t.json", b'{"traceEvents":[' + b"".join(pieces))


# Traces that nobody here made.


@needs_corpus()
def test_real_traces_are_read_whole(trace: Path) -> None:
    events = read_trace(trace)
    events.self_check()
    assert events.gaps == ()
    raw = json.loads(gzip.decompress(trace.read_bytes()))
    assert len(events) == sum(event.get("ph") == "X" for event in raw["traceEvents"])

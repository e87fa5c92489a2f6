"""Reading as a stream: bounded text, sources other than plain files, odd shapes of whole documents."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfkit.base.errors import PerfkitError
from perfkit.io import _chunks, _patient, _text
from perfkit.io.chrome import read_trace
from perfkit.model.events import Collective, DeviceSync, Events
from tests.kineto_traces import document, gpu_events, needs_corpus, on_device, span, write

SPANS = [
    span("cpu_op", f"op{i % 7}", i * 10, 5, shapes=[{"a": i}, {"b": "}, {"}]) for i in range(90)
]


def why(events: Events) -> str:
    return "; ".join(f"{gap.what}: {gap.why}" for gap in events.gaps)


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks, chunks and regions so small that a short text has many of each."""
    monkeypatch.setattr(_text, "_BLOCK", 100)
    monkeypatch.setattr(_text, "_INPUT", 50)
    monkeypatch.setattr(_chunks, "_CHUNK", 300)
    monkeypatch.setattr(_patient, "_REGION", 150)


# Sound documents, whatever their shape.


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize(
    "data",
    [
        {"traceEvents": SPANS, "deviceProperties": [{"id": i} for i in range(60)], "last": 1},
        {"deviceProperties": [{"id": i} for i in range(60)], "traceEvents": SPANS},
        SPANS,
        {"traceEvents": [*SPANS, {"ph": "M", "args": {"list": [{"a": 1}]}}]},
        document([span("cpu_op", "größer", i, 1) for i in range(90)]),
    ],
    ids=["metadata-last", "metadata-first", "list", "list-in-last-event", "utf-8-across-blocks"],
)
def test_small_windows_see_the_same_as_large_ones(tmp_path: Path, data: object) -> None:
    events = read_trace(write(tmp_path / "t.json.gz", data))
    events.self_check()
    assert (len(events), events.gaps) == (90, ())
    assert events.metadata.get("last", 1) == 1


def test_an_event_of_many_megabytes_is_read(tmp_path: Path) -> None:
    large = span("cpu_op", "large", 2, 1, text="x" * 20_000_000)
    events = read_trace(write(tmp_path / "t.json", document([SPANS[0], large, SPANS[1]])))
    assert (len(events), events.gaps) == (3, ())


def test_an_event_of_many_objects_is_read(tmp_path: Path) -> None:
    large = span("cpu_op", "large", 2, 1, tensors=[{"shape": i} for i in range(400_000)])
    events = read_trace(write(tmp_path / "t.json", document([SPANS[0], large, SPANS[1]])))
    assert (len(events), events.gaps) == (3, ())


def test_of_duplicate_keys_in_an_event_the_last_counts(tmp_path: Path) -> None:
    text = json.dumps(document([span("cpu_op", "a", 1, 2)]))
    events = read_trace(
        write(tmp_path / "t.json", text.replace('"dur": 2', '"dur": 3, "dur": 2').encode())
    )
    assert (events.dur.tolist(), events.gaps) == ([2000], ())


def test_urls_are_read_through_fsspec(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json.gz", document(gpu_events()))
    with fsspec.open("memory://traces/t.json.gz", "wb") as file:
        file.write(path.read_bytes())
    assert read_trace("memory://traces/t.json.gz").start.tolist() == read_trace(path).start.tolist()


def test_progress_is_told_in_bytes_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "t.json.gz", document(SPANS))
    told: list[tuple[int, int | None]] = []
    read_trace(path, progress=lambda done, size: told.append((done, size)))
    assert told[-1] == (path.stat().st_size, path.stat().st_size)


# Damage.


def test_an_event_beyond_the_budget_is_dropped_and_told(tmp_path: Path) -> None:
    large = span("cpu_op", "large", 2, 1, text="x" * 9_000_000)
    path = write(tmp_path / "t.json", document([SPANS[0], large, *SPANS[1:5]]))
    events = read_trace(path, budget=5 << 20)
    assert "large" not in events.names
    assert len(events) == 5
    assert "1 events were dropped" in why(events)


@pytest.mark.usefixtures("small_windows")
def test_damage_in_small_windows_costs_only_the_damaged_event(tmp_path: Path) -> None:
    text = json.dumps(document(SPANS)).replace('"ts": 400,', '"ts" 400,')
    events = read_trace(write(tmp_path / "t.json", text.encode()))
    assert len(events) == 89
    assert 400_000 not in events.start.tolist()
    assert "1 events were dropped: their JSON could not be mended" in why(events)


def test_a_bracket_inside_a_damaged_event_does_not_end_the_list(tmp_path: Path) -> None:
    text = json.dumps(document(SPANS)).replace('"ts": 400,', '"ts" 400,')
    text = text.replace('{"b": "}, {"}]', '{"b": 2}]')
    events = read_trace(write(tmp_path / "t.json", text.encode()))
    assert len(events) == 89


def test_two_lists_of_events_are_joined(tmp_path: Path) -> None:
    first, second = json.dumps(SPANS[:3]), json.dumps(SPANS[3:5])
    text = f'{{"a": 1, "traceEvents": {first}, "b": 2, "traceEvents": {second}, "c": 3}}'
    events = read_trace(write(tmp_path / "t.json", text.encode()))
    assert len(events) == 5
    assert dict(events.metadata) == {"a": 1, "b": 2, "c": 3}
    assert "several lists of events were joined" in why(events)


def test_lists_without_end_are_given_up(tmp_path: Path) -> None:
    text = b'{"traceEvents":[' + b'],"traceEvents":[' * 100_000
    events = read_trace(write(tmp_path / "t.json", text))
    assert len(events) == 0
    assert "the end of the trace is missing" in why(events)


def test_damaged_metadata_costs_only_itself(tmp_path: Path) -> None:
    text = json.dumps({"traceEvents": SPANS, "good": 1, "host": "HOST"})
    events = read_trace(write(tmp_path / "t.json", text.replace("HOST", "\\ud800").encode()))
    assert len(events) == 90
    assert events.metadata["good"] == 1
    assert "not valid JSON" in why(events)


@pytest.mark.parametrize(
    "written",
    [
        "1712195495505848.619",
        "1.712195495505848619e15",
        '"1712195495505848.619"',
        "1712195495505848.6190000001",
    ],
)
def test_large_times_keep_their_digits_however_written(tmp_path: Path, written: str) -> None:
    text = json.dumps(document([span("cpu_op", "a", 1, 2)])).replace(
        '"ts": 1,', f'"ts": {written},'
    )
    events = read_trace(write(tmp_path / "t.json", text.encode()))
    assert events.start.tolist() == [1_712_195_495_505_848_619]


def test_a_large_time_in_escapes_is_rounded(tmp_path: Path) -> None:
    text = json.dumps(document([span("cpu_op", "a", 1, 2)]))
    text = text.replace('"ts": 1,', '"ts": "\\u00312195495505848.25",')
    events = read_trace(write(tmp_path / "t.json", text.encode()))
    assert abs(events.start.tolist()[0] - 12_195_495_505_848_250) <= 250


def test_times_on_the_scale_of_nanoseconds_are_recognised(tmp_path: Path) -> None:
    start = 1_712_195_495_505_848_619
    spans = [span("cpu_op", "a", start + i, 2500) for i in range(3)]
    events = read_trace(write(tmp_path / "t.json", document(spans)))
    assert events.start.tolist() == [start, start + 1, start + 2]
    assert events.dur.tolist() == [2500] * 3
    assert "times were read as nanoseconds" in why(events)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_read(tmp_path: Path, encoding: str) -> None:
    text = json.dumps(document(SPANS))
    events = read_trace(write(tmp_path / "t.json", text.encode(encoding)))
    assert len(events) == 90
    assert "UTF-16" in why(events)


@pytest.mark.parametrize(
    "url", ["memory://nowhere/t.json", "nosuchprotocol://x/t.json"], ids=["missing", "unknown"]
)
def test_a_url_that_cannot_be_read_is_one_clear_error(url: str) -> None:
    with pytest.raises(PerfkitError, match="cannot read the trace"):
        read_trace(url)


# What only a few events say.


def test_collectives_are_told_with_their_group_and_size(tmp_path: Path) -> None:
    args: dict[str, Any] = {"Collective name": "allreduce", "dtype": "Float", "Group size": 2}
    args |= {"In msg nelems": 10, "Out msg nelems": 10, "Process Group Name": "0", "Seq": 4}
    kernel = on_device("kernel", "ncclDevKernel_AllReduce", 5, 1, **args)
    other = on_device("kernel", "gemm", 1, 1, **args)
    silent = on_device("kernel", "ncclDevKernel_SendRecv", 9, 1)
    events = read_trace(write(tmp_path / "t.json", document([kernel, other, silent])))
    assert events.collectives == (
        Collective(
            row=1,
            kind="allreduce",
            dtype="Float",
            in_elements=10,
            out_elements=10,
            group="0",
            group_size=2,
            sequence=4,
        ),
    )


def test_device_waits_tell_the_event_they_wait_for(tmp_path: Path) -> None:
    args = {"wait_on_stream": 7, "wait_on_cuda_event_record_corr_id": 12}
    wait = on_device("cuda_sync", "Wait", 5, 1, cuda_sync_kind="Stream Wait Event", **args)
    context = on_device("cuda_sync", "Sync", 9, 1, cuda_sync_kind="Context Sync")
    context["args"]["stream"] = 2**32 - 1
    events = read_trace(write(tmp_path / "t.json", document([context, wait])))
    assert events.syncs == (
        DeviceSync(0, "Stream Wait Event", stream=7, on_stream=7, record=12),
        DeviceSync(1, "Context Sync"),
    )


def test_changes_of_memory_are_sorted_by_time(tmp_path: Path) -> None:
    def change(ts: float, nbytes: object, **args: object) -> dict[str, Any]:
        event = span("cpu_instant_event", "[memory]", ts, 0)
        return {**event, "ph": "i", "args": {"Bytes": nbytes, **args}}

    device = {"Device Type": 1, "Device Id": 0, "Total Allocated": 64, "Total Reserved": 128}
    odd = change(5, "many")
    events = read_trace(
        write(tmp_path / "t.json", document([change(9, -64), odd, change(3, 64, **device)]))
    )
    memory = events.memory
    assert (memory.time.tolist(), memory.nbytes.tolist()) == ([3000, 9000], [64, -64])
    assert (memory.allocated.tolist(), memory.reserved.tolist()) == ([64, -1], [128, -1])
    assert (memory.device_type.tolist(), memory.device.tolist()) == ([1, -1], [0, -1])
    assert (len(events), events.gaps) == (0, ())


# Nothing hangs.


@pytest.mark.usefixtures("small_windows")
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_the_work_for_a_damaged_text_is_bounded_by_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    text = bytearray(json.dumps(document(SPANS[:30])).encode())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from([b"", b"}, {", b'"', b"]", b"\\"])
        )
    steps = 0

    def counted(piece: bytes) -> Any:
        nonlocal steps
        steps += 1
        return decode(piece)

    decode = _patient.decode_event
    with monkeypatch.context() as patched:
        patched.setattr(_patient, "decode_event", counted)
        packed = data.draw(st.booleans())
        path = tmp_path / "t.json"
        path.write_bytes(gzip.compress(text) if packed else text)
        try:
            read_trace(path).self_check()
        except PerfkitError as error:
            assert str(path) in str(error)
    assert steps <= 10 * (text.count(b"}") + 1)


@needs_corpus("b200_eager", "a100_alexnet")
def test_real_traces_are_the_same_through_small_windows(
    trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read_trace(trace)
    monkeypatch.setattr(_chunks, "_CHUNK", 50_000)
    pieces = read_trace(trace)
    assert whole.start.tolist() == pieces.start.tolist()
    assert whole.order.tolist() == pieces.order.tolist()
    assert whole.names == pieces.names
    assert pieces.syncs == whole.syncs

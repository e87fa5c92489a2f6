from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from perfkit.base.errors import PerfkitError
from perfkit.io.chrome import read_trace
from perfkit.io.tb_compat import convert, tb_compatible
from tests.kineto_traces import KERNEL_US, document, gpu_events, needs_corpus, span, write


def converted(tmp_path: Path, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    tb_compatible(write(tmp_path / "in.json", document(events)), tmp_path / "out.json.gz")
    found = json.loads(gzip.decompress((tmp_path / "out.json.gz").read_bytes()))["traceEvents"]
    assert isinstance(found, list)
    return found


def the(events: list[dict[str, Any]], **fields: object) -> dict[str, Any]:
    (found,) = [e for e in events if all(e.get(key) == value for key, value in fields.items())]
    return found


# What must stay as it was.


def test_operators_kernels_arrows_and_their_arguments_stay(tmp_path: Path) -> None:
    before = gpu_events()
    after = converted(tmp_path, before)
    kept = ("cpu_op", "kernel", "gpu_memcpy", "ac2g", "Trace")
    for event in before:
        if event.get("cat") in kept and event["name"] != "triton_poi_fused_0":
            match = dict(event, args=event.get("args", {}))
            assert match in after


def test_metadata_stays(tmp_path: Path) -> None:
    source = write(
        tmp_path / "in.json", document(gpu_events(), displayTimeUnit="ms", x=[1, {"y": "é"}])
    )
    tb_compatible(source, tmp_path / "out.json.gz")
    found = json.loads(gzip.decompress((tmp_path / "out.json.gz").read_bytes()))
    before = json.loads(source.read_text())
    del found["traceEvents"], before["traceEvents"]
    assert found == before


def test_a_recording_windows_sane_end_stays(tmp_path: Path) -> None:
    the(converted(tmp_path, gpu_events()), name="Record Window End")


def test_a_sound_trace_has_no_gaps(tmp_path: Path) -> None:
    source = write(tmp_path / "in.json", document(gpu_events()))
    result = convert(source, tmp_path / "out.json.gz")
    assert (result.gaps, result.has_device) == ((), True)


# What is changed.


@pytest.mark.parametrize("name", ["cudaLaunchKernel", "cuLaunchKernel", "cudaStreamSynchronize"])
def test_runtime_calls_get_the_category_that_the_plugin_knows(tmp_path: Path, name: str) -> None:
    after = converted(tmp_path, gpu_events())
    assert {event["cat"] for event in after if event["name"] == name} == {"Runtime"}


def test_device_marks_are_hidden_from_the_plugin(tmp_path: Path) -> None:
    after = converted(tmp_path, gpu_events())
    cats = [event["cat"] for event in after if event["name"] == "ProfilerStep#0"]
    assert sorted(cats) == ["annotation", "user_annotation"]


def test_marks_that_the_plugin_cannot_count_are_hidden_from_it(tmp_path: Path) -> None:
    after = converted(tmp_path, [span("user_annotation", "ProfilerStep#x", 0, 5)])
    assert the(after, name="ProfilerStep#x")["cat"] == "annotation"


def test_launches_without_an_operators_id_get_the_one_around_them(tmp_path: Path) -> None:
    after = converted(tmp_path, gpu_events())
    for event in after:
        if event["name"] in ("cuLaunchKernel", "triton_poi_fused_0") and event["cat"] != "cpu_op":
            assert event["args"]["External id"] in (13, 113)


def test_launches_outside_every_operator_hang_under_the_root(tmp_path: Path) -> None:
    note = span("user_annotation", "my region", 0, 50, **{"External id": 9})
    call = span("cuda_runtime", "cudaLaunchKernel", 5, 5, correlation=1, **{"External id": 9})
    after = converted(tmp_path, [span("cpu_op", "a", 60, 5, **{"External id": 3}), note, call])
    assert the(after, name="cudaLaunchKernel")["args"] == {"correlation": 1, "External id": 0}


def test_a_window_that_ends_in_another_century_is_dropped(tmp_path: Path) -> None:
    events = [e for e in gpu_events() if e["name"] != "Record Window End"]
    events.append({"ph": "i", "s": "g", "name": "Record Window End", "ts": 1.8e16})
    assert not [e for e in converted(tmp_path, events) if e["name"] == "Record Window End"]


def test_slices_that_end_a_rounding_too_late_are_shortened(tmp_path: Path) -> None:
    ts = 1712195495505848.5  # where floats have steps of a quarter of a microsecond
    spans = [span("cpu_op", "out", ts, 1.2), span("cpu_op", "in", ts + 0.25, 1.1)]
    after = converted(tmp_path, spans)
    outer, inner = the(after, name="out"), the(after, name="in")
    assert inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"]
    assert inner["dur"] > 0


def test_slices_that_truly_cross_are_left_and_told(tmp_path: Path) -> None:
    spans = [span("cpu_op", "a", 0, 100), span("cpu_op", "b", 50, 100)]
    result = convert(write(tmp_path / "in.json", document(spans)), tmp_path / "out.json.gz")
    assert [gap.what for gap in result.gaps] == [
        "1 host slices are left out by TensorBoard's operator view"
    ]


@pytest.mark.parametrize(
    "fields",
    [{"dur": None}, {"dur": -1}, {"ts": "5"}, {"args": None}, {"args": [1]}, {"tid": "main"}],
)
def test_odd_fields_become_what_the_plugin_expects(tmp_path: Path, fields: dict[str, Any]) -> None:
    (event,) = converted(tmp_path, [{**span("cpu_op", "a", 5, 2), **fields}])
    assert isinstance(event["ts"], (int, float)) and event["dur"] >= 0
    assert isinstance(event["args"], dict) and int(event["tid"]) >= 0


def test_events_without_name_or_category_get_one(tmp_path: Path) -> None:
    event = span("", "", 5, 2)
    del event["cat"], event["name"]
    (event,) = converted(tmp_path, [event])
    assert (event["name"], event["cat"]) == ("(unnamed)", "annotation")


def test_damaged_json_becomes_valid(tmp_path: Path) -> None:
    text = json.dumps(document(gpu_events()), indent=1).replace('"gemm"', '"\\q"')[:-40]
    source = write(tmp_path / "in.json", text.encode())
    result = convert(source, tmp_path / "out.json.gz")
    assert "the JSON stops in the middle" in [gap.why for gap in result.gaps]
    assert len(read_trace(tmp_path / "out.json.gz")) == len(read_trace(source))


def test_what_is_no_trace_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(PerfkitError):
        tb_compatible(write(tmp_path / "in.json", b"hello"), tmp_path / "out.json.gz")
    assert [file.name for file in tmp_path.iterdir()] == ["in.json"]


# What the plugin's own loader then says.


def device_time(path: Path, tmp_path: Path) -> tuple[float, float, list[str], int]:
    """Device time of operators and of kernels in µs, step names, complaints of the plugin's tree."""
    from torch_tb_profiler.profiler.data import RunProfileData

    complaints: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            complaints.append(record.getMessage())

    logger, listener = logging.getLogger("torch_tb_profiler"), Listener()
    logger.addHandler(listener)
    try:
        data = RunProfileData.parse("worker", None, str(path), str(tmp_path))
    finally:
        logger.removeHandler(listener)
    ops = sum(op.self_device_duration for op in data.op_list_groupby_name)
    kernels = 0.0 if data.kernel_stat is None else float(data.kernel_stat["sum"].sum())
    crossing = sum("should not intersect" in text for text in complaints)
    return ops, kernels, data.steps_names, crossing


def test_without_conversion_the_plugin_sees_no_device_time(tmp_path: Path) -> None:
    """The reason for this module: when it fails, the plugin has been mended and we can go."""
    source = write(tmp_path / "in.json", document(gpu_events()))
    ops, kernels, steps, _ = device_time(source, tmp_path)
    assert ops == 0
    assert kernels == 2 * (KERNEL_US + 40)
    assert steps == ["0", "0", "1", "1"]


def test_with_conversion_it_sees_all_of_it(tmp_path: Path) -> None:
    tb_compatible(write(tmp_path / "in.json", document(gpu_events())), tmp_path / "o.json.gz")
    ops, kernels, steps, _ = device_time(tmp_path / "o.json.gz", tmp_path)
    assert kernels == 2 * (KERNEL_US + 40)
    assert ops == pytest.approx(kernels + 2 * 2.25)
    assert steps == ["0", "1"]


@needs_corpus(
    "h100_qwen1.5_0.5b", "h100_owlv2_large", "b200_eager", "v100_nccl_ns", "compiled_triton"
)
def test_real_traces_get_their_device_time_back(trace: Path, tmp_path: Path) -> None:
    tb_compatible(trace, tmp_path / "o.json.gz")
    ops, kernels, _, crossing = device_time(tmp_path / "o.json.gz", tmp_path)
    assert ops > 0.6 * kernels > 0
    assert crossing == 0

"""Flame graphs for speedscope: slices that nest, frames that exist, weights that add up."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from perfkit.analysis.sync_points import sync_points
from perfkit.exports.speedscope import speedscope
from perfkit.io.chrome import read_trace
from perfkit.model.events import Events
from perfkit.model.run import Gap
from tests.kineto_traces import document, gpu_events, needs_corpus, span, write
from tests.sample_runs import ctr_run, hostile_run

Json = dict[str, Any]


def written(path: Path, events: Events | None = None, run: Any = None) -> tuple[Json, list[Gap]]:
    points = sync_points(run) if run is not None else ()
    gaps = speedscope("a run", events, points, path)
    data = path.read_bytes()
    found = json.loads(gzip.decompress(data) if path.name.endswith(".gz") else data)
    _check(found)
    return found, list(gaps)


def _check(found: Json) -> None:
    """What speedscope's importer asserts, and its schema asks for."""
    assert found["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = found["shared"]["frames"]
    assert all(frame["name"] and isinstance(frame.get("line", 0), int) for frame in frames)
    for profile in found["profiles"]:
        assert profile["startValue"] <= profile["endValue"]
        if profile["type"] == "sampled":
            assert len(profile["samples"]) == len(profile["weights"])
            assert sum(profile["weights"]) == profile["endValue"]
            used = [frame for stack in profile["samples"] for frame in stack]
        else:
            used = _nested(profile)
        assert all(0 <= frame < len(frames) for frame in used)


def _nested(profile: Json) -> list[int]:
    open_frames: list[int] = []
    last = profile["startValue"]
    for event in profile["events"]:
        assert event["at"] >= last
        last = event["at"]
        if event["type"] == "O":
            open_frames.append(event["frame"])
        else:
            assert open_frames.pop() == event["frame"]
    assert open_frames == [] and last <= profile["endValue"]
    return [event["frame"] for event in profile["events"]]


def lanes(found: Json) -> list[Json]:
    return [profile for profile in found["profiles"] if profile["type"] == "evented"]


def test_nothing_recorded_is_a_file_without_profiles(tmp_path: Path) -> None:
    assert written(tmp_path / "a.json")[0]["profiles"] == []


def test_times_that_nobody_observed_make_no_profile(tmp_path: Path) -> None:
    found, _ = written(tmp_path / "a.json", run=ctr_run())
    assert [p["name"] for p in found["profiles"]] == ["host waits and copies: times per step"]


def test_waits_are_stacks_from_the_outermost_call_to_the_operator(tmp_path: Path) -> None:
    found, _ = written(tmp_path / "a.json", run=ctr_run())
    (profile,) = found["profiles"]
    frames = found["shared"]["frames"]
    assert profile["endValue"] == sum(point.per_step for point in sync_points(ctr_run()))
    deepest = max(profile["samples"], key=len)
    assert frames[deepest[-1]]["name"].startswith("aten::")
    files = [frames[number]["file"].rpartition("/")[2] for number in deepest[:-1]]
    assert files[0] == "evaluate.py" and files[-1] == "model.py"


def test_hostile_names_are_valid_json(tmp_path: Path) -> None:
    assert written(tmp_path / "a.json", run=hostile_run())[0]["shared"]["frames"]


def test_threads_and_streams_are_lanes_of_their_own(tmp_path: Path) -> None:
    events = [*gpu_events(), span("python_function", "/home/ada/train.py(3): fit", 1000, 900)]
    found, gaps = written(
        tmp_path / "a.json.gz", read_trace(write(tmp_path / "w.json", document(events)))
    )
    assert gaps == []
    names = [lane["name"] for lane in lanes(found)]
    assert any(name.startswith("device 0, stream") for name in names)
    assert {"name": "fit", "file": "/home/ada/train.py", "line": 3} in found["shared"]["frames"]


def test_a_slice_that_crosses_the_end_of_another_is_cut_and_told(tmp_path: Path) -> None:
    events = [span("cpu_op", "outer", 0, 100), span("cpu_op", "crossing", 50, 100)]
    trace = read_trace(write(tmp_path / "w.json", document(events)))
    found, gaps = written(tmp_path / "a.json", trace)
    assert [gap.what for gap in gaps] == [
        "1 slices end earlier in speedscope's file than in the trace"
    ]
    assert lanes(found)[0]["endValue"] == 100_000


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20)), min_size=1, max_size=12))
def test_slices_always_nest(tmp_path_factory: Any, slices: list[tuple[int, int]]) -> None:
    folder = tmp_path_factory.mktemp("slices")
    events = [span("cpu_op", f"op{n}", *times) for n, times in enumerate(slices)]
    found, _ = written(folder / "a.json", read_trace(write(folder / "w.json", document(events))))
    opened = [e for lane in lanes(found) for e in lane["events"] if e["type"] == "O"]
    assert len(opened) == len(slices)


@needs_corpus("h100_qwen1.5_0.5b", "cpu_only")
def test_real_traces_nest(trace: Path, tmp_path: Path) -> None:
    assert lanes(written(tmp_path / "a.json", read_trace(trace))[0])

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfkit.exports._rows import ROUNDING_NS, Rows, crossings
from perfkit.exports.perfetto import Counter, Slice, Track, perfetto, problems
from perfkit.io.chrome import read_trace
from tests.kineto_traces import document, gpu_events, needs_corpus, span, write

HOSTILE = '</script>"\\\u202e\x00\ud800'


def overlaid(
    tmp_path: Path, trace: object, *tracks: Track, counters: tuple[Counter, ...] = ()
) -> list[dict[str, Any]]:
    source = write(tmp_path / "in.json", trace)
    perfetto(source, read_trace(source), tmp_path / "out.json", tracks, counters)
    found = json.loads((tmp_path / "out.json").read_bytes())["traceEvents"]
    assert problems(found) == []
    assert isinstance(found, list)
    return found


def named(events: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [event for event in events if event.get("name") == name]
    return found


def rows_of(events: list[dict[str, Any]]) -> dict[int, str]:
    return {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}


# What must stay.


def test_the_traces_own_events_stay(tmp_path: Path) -> None:
    after = [{"args": {}, **event} for event in overlaid(tmp_path, document(gpu_events()))]
    for event in gpu_events():
        assert {"args": {}, **event} in after


def test_slices_that_nest_or_follow_stay_on_their_row() -> None:
    rows = Rows()
    for start, end in ((0, 10), (0, 4), (4, 10), (5, 5), (10, 12), (12, 12)):
        assert rows.place(start, end) == (0, end)


def test_the_checker_is_content_with_kinetos_own_kind_of_trace() -> None:
    assert problems(gpu_events()) == []


# What must change.


def test_a_slice_that_crosses_by_a_rounding_is_shortened(tmp_path: Path) -> None:
    trace = document([span("cpu_op", "outer", 0, 10), span("cpu_op", "inner", 5, 5.4)])
    events = overlaid(tmp_path, trace)
    assert (named(events, "inner")["ts"], named(events, "inner")["dur"]) == (5, 5)


def test_a_slice_that_crosses_by_more_moves_to_a_row_of_its_own(tmp_path: Path) -> None:
    trace = document([span("cpu_op", "outer", 0, 10), span("cpu_op", "other", 5, 50)])
    source = write(tmp_path / "in.json", trace)
    gaps = perfetto(source, read_trace(source), tmp_path / "out.json")
    assert [gap.what for gap in gaps] == ["1 slices are on rows of their own in the overlay"]
    events = json.loads((tmp_path / "out.json").read_bytes())["traceEvents"]
    moved = named(events, "other")
    assert problems(events) == [] and (moved["ts"], moved["dur"]) == (5, 50)
    assert moved["tid"] != named(events, "outer")["tid"] and moved["pid"] == 4242
    assert rows_of(events)[moved["tid"]] == "overlapping on 4242"


def test_added_tracks_are_rows_of_a_process_of_their_own(tmp_path: Path) -> None:
    track = Track("idle", [Slice("a", 1_000_500, 500, {"cause_ns": 7, "line": None})])
    events = overlaid(tmp_path, document(gpu_events()), track)
    added = named(events, "a")
    assert (added["ts"], added["dur"], added["args"]) == (1000.5, 0.5, {"cause_ns": 7})
    assert rows_of(events)[added["tid"]] == "idle"
    process = [e for e in events if e["name"] == "process_name" and e["pid"] == added["pid"]]
    assert [e["args"]["name"] for e in process] == ["perfkit"]


def test_added_slices_that_overlap_get_further_rows(tmp_path: Path) -> None:
    slices = [Slice("a", 0, 1000), Slice("b", 500, 1000), Slice("c", 500, 100)]
    events = overlaid(tmp_path, document(gpu_events()), Track("waits", slices))
    names = rows_of(events)
    assert [names[named(events, n)["tid"]] for n in "abc"] == ["waits", "waits (2)", "waits"]


def test_added_slices_out_of_order_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not in order"):
        overlaid(tmp_path, document([]), Track("t", [Slice("a", 5, 1), Slice("b", 4, 1)]))


def test_counters_hold_numbers(tmp_path: Path) -> None:
    counter = Counter("queue", [(1_000_000, 0), (1_000_001, 2.5)])
    events = overlaid(tmp_path, document(gpu_events()), counters=(counter,))
    found = [(e["ts"], e["args"]["value"]) for e in events if e["ph"] == "C"]
    assert found == [(1000.0, 0), (1000.001, 2.5)]


def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    trace = document([span("cpu_op", HOSTILE[:-1], 0, 1)])
    track = Track("</script>", [Slice('"\\\x00', 0, 1, {'"': "</script>"})])
    events = overlaid(tmp_path, trace, track, counters=(Counter('"', [(0, 1)]),))
    assert {e["name"] for e in events} >= {'"\\\x00', '"'}


def test_a_clock_beyond_exact_doubles_begins_anew(tmp_path: Path) -> None:
    base = 1_767_189_312_000_000
    trace = document(
        [span("cpu_op", "a", base, 10), span("cpu_op", "b", base + 5, 5)], baseTimeNanoseconds=7
    )
    trace["traceEvents"].append({"ph": "i", "name": "i", "ts": base + 1, "pid": 1, "tid": 1})
    events = overlaid(tmp_path, trace, Track("t", [Slice("s", (base + 2) * 1000, 1000)]))
    assert [named(events, name)["ts"] for name in "abis"] == [0, 5, 1, 2]
    metadata = json.loads((tmp_path / "out.json").read_bytes())
    assert metadata["baseTimeNanoseconds"] == base * 1000 + 7


def test_begin_and_end_marks_become_slices(tmp_path: Path) -> None:
    pair = [{"ph": p, "name": "x", "pid": 1, "tid": 1, "ts": t} for p, t in (("B", 1), ("E", 4))]
    found = named(overlaid(tmp_path, document(pair)), "x")
    assert (found["ph"], found["ts"], found["dur"]) == ("X", 1, 3)


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({"ph": "X", "name": "a", "ts": 1}, "without a duration"),
        ({"ph": "X", "name": "a", "ts": 1, "dur": -1}, "without a duration"),
        ({"ph": "X", "name": 3, "ts": 1, "dur": 1}, "no text"),
        ({"ph": "i", "name": "a"}, "without a time"),
        ({"ph": "C", "name": "a", "ts": 1, "args": {"value": "x"}}, "without a number"),
        ({"ph": "C", "name": "a", "ts": 1}, "without a number"),
        ({"ph": "B", "name": "a", "ts": 1}, "do not pair"),
    ],
)
def test_the_checker_tells_what_is_wrong(event: dict[str, Any], problem: str) -> None:
    (found,) = problems([event])
    assert problem in found


def test_the_checker_sees_crossings_on_one_track_only() -> None:
    crossing = [span("cpu_op", "a", 0, 10), span("cpu_op", "b", 5, 10)]
    assert problems(crossing) == ["1 slices cross others on track (4242, 4242)"]
    assert problems([crossing[0], {**crossing[1], "tid": 1}]) == []


_SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=40)


@given(_SPANS)
def test_rows_never_hold_crossing_slices(spans: list[tuple[int, int]]) -> None:
    rows = Rows()
    placed: dict[int, list[tuple[int, int]]] = {}
    for start, end in sorted(((s, s + d) for s, d in spans), key=lambda each: (each[0], -each[1])):
        row, fitted = rows.place(start, end, 3)
        assert end - 3 <= fitted <= end
        placed.setdefault(row, []).append((start, fitted))
    assert all(crossings(slices) == 0 for slices in placed.values())


@needs_corpus()
def test_real_traces_open_under_perfettos_rules(trace: Path, tmp_path: Path) -> None:
    before = read_trace(trace)
    perfetto(trace, before, tmp_path / "out.json.gz")
    document = json.loads(gzip.decompress((tmp_path / "out.json.gz").read_bytes()))
    assert problems(document["traceEvents"]) == []
    after = read_trace(tmp_path / "out.json.gz")
    assert len(after) == len(before)
    assert int(before.dur.sum()) - len(before) * ROUNDING_NS <= int(after.dur.sum())
    assert int(after.dur.sum()) <= int(before.dur.sum())

from __future__ import annotations

import pickle

import pytest

from perfkit.analysis.rank_report import Phases, rank_report
from perfkit.base.errors import NotObservable
from perfkit.io.chrome import read_trace
from tests.kineto_traces import document, gpu_events, needs_corpus, on_device, span, write
from tests.rank_traces import NS, rank_trace, ranks_of


def report(tmp_path, trace, name="trace.json"):
    found = rank_report(read_trace(write(tmp_path / name, trace)), {}, name)
    found.self_check()
    return found


def test_an_empty_trace_is_no_rank(tmp_path):
    with pytest.raises(NotObservable, match="no operator and no kernel"):
        report(tmp_path, document([]))


def test_a_rank_without_collectives_says_so(tmp_path):
    found = report(tmp_path, document(gpu_events()))
    assert found.collectives == found.before == ()
    assert found.comm_ns == 0
    assert any("no communication kernel" in gap for gap in found.gaps)


def test_the_window_is_divided_exclusively(tmp_path):
    found = report(tmp_path, rank_trace(0, 2, "iikkAAAm..k"))
    assert found.phases == Phases(3 * NS, 3 * NS, NS, 2 * NS, 2 * NS)
    assert found.phases.total_ns == 11 * NS
    assert found.steps == 1


def test_what_runs_beside_compute_counts_as_compute(tmp_path):
    trace = rank_trace(0, 2, "..AAAA..")
    trace["traceEvents"].append(on_device("kernel", "gemm", 10_300, 200))
    assert report(tmp_path, trace).phases == Phases(2 * NS, 2 * NS, 0, 0, 4 * NS)


def test_before_each_collective_is_the_time_since_the_one_before(tmp_path):
    found = report(tmp_path, rank_trace(0, 2, "ikkAA.kmBBCC"))
    assert found.before == (
        Phases(2 * NS, 0, 0, NS, 0),
        Phases(NS, 0, NS, 0, NS),
        Phases(),
    )


def test_data_loading_by_an_idle_device_alone_is_input(tmp_path):
    trace = rank_trace(0, 2, "kk..A")
    name = "enumerate(DataLoader)#_MultiProcessingDataLoaderIter.__next__"
    trace["traceEvents"].append(span("user_annotation", name, 10_100, 200))
    assert report(tmp_path, trace).before[0] == Phases(2 * NS, 0, 0, NS, NS)


@pytest.mark.parametrize(
    ("name", "rank"),
    [
        ("trace.json", None),
        ("rank-12.json", 12),
        ("worker7_step_12.pt.trace.json", 7),
        ("node1_rank3.json", 3),
    ],
)
def test_without_metadata_the_rank_is_in_the_name(tmp_path, name, rank):
    found = report(tmp_path, document(gpu_events()), name)
    assert (found.rank, found.world) == (rank, None)


def test_metadata_beats_the_name(tmp_path):
    assert report(tmp_path, rank_trace(5, 8, "kA"), "rank1.json").rank == 5


def test_odd_metadata_is_unknown(tmp_path):
    trace = document(gpu_events(), distributedInfo=["rank"])
    trace["deviceProperties"] = {"name": 3}
    found = report(tmp_path, trace)
    assert (found.rank, found.world, found.device) == (None, None, "")


def test_a_report_travels_between_processes(tmp_path):
    (found,) = ranks_of(tmp_path, "0  kkAA.B")
    assert pickle.loads(pickle.dumps(found)) == found
    assert len(pickle.dumps(found)) < 4_000


@needs_corpus()
def test_parts_sum_to_the_window_on_every_trace(trace):
    events = read_trace(trace)
    found = rank_report(events, {}, trace.name)
    found.self_check()
    assert all(0 <= value <= found.phases.total_ns for value in found.phases.__dict__.values())

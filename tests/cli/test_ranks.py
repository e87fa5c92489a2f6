"""Many ranks through executors: processes here, and a real Dask scheduler with two worker processes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from perfkit.base.errors import PerfkitError
from perfkit.cli import _ranks, group
from perfkit.cli._ranks import analyze_ranks, one_rank, workers
from perfkit.model.diagnosis import Diagnosis
from tests.kineto_traces import corpus, document, needs_corpus, write
from tests.rank_traces import NS, write_ranks

FOUR = """
    0  kkAAAAA.BB
    1  kkAAAAA.BB
    2  kkkkkkA.BB
    3  kkAAAAA.BB
"""


class Killing(Executor):
    """Kills the worker that works on one trace, the first time."""

    def __init__(self, inner: Executor, victim: str, mark: Path) -> None:
        self._inner, self._victim, self._mark = inner, victim, mark

    def submit(self, function, source, *rest):
        if source == self._victim:
            return self._inner.submit(_dies_once, str(self._mark), function, source, *rest)
        return self._inner.submit(function, source, *rest)


def _dies_once(mark, function, source, *rest):
    if not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return function(source, *rest)


def four(tmp_path: Path) -> list[str]:
    return [str(path) for path in write_ranks(tmp_path, FOUR)]


def test_one_usable_trace_is_not_enough(tmp_path):
    good, *_ = four(tmp_path)
    bad = write(tmp_path / "page.json", b"<!doctype html><p>gone")
    with ThreadPoolExecutor(1) as pool, pytest.raises(PerfkitError, match=r"page\.json.*web page"):
        analyze_ranks([good, str(bad)], pool)


def test_a_trace_that_cannot_be_used_is_told_and_sinks_no_other(tmp_path):
    empty = write(tmp_path / "empty.json", document([]))
    with ThreadPoolExecutor(1) as pool:
        done = analyze_ranks([*four(tmp_path), str(tmp_path / "none.json"), str(empty)], pool)
    assert [gap.split(":")[0] for gap in done.gaps] == ["none.json", "empty.json"]
    assert list(done.found.reports) == [0, 1, 2, 3]


def test_the_worst_trace_is_the_stragglers(tmp_path):
    sources = four(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        done = analyze_ranks(sources[::-1], pool)
        even = analyze_ranks(sources[:2], pool)
    assert done.worst == sources[2]
    assert even.worst == sources[0]


def test_without_dask_the_next_step_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(PerfkitError, match=r"perfkit\[cluster\]"), workers("tcp://127.0.0.1:1", 2):
        pass


@pytest.mark.parametrize("address", ["here", "tcp://host", "foo bar:1", ""])
def test_what_is_no_address_is_said_at_once(address):
    with pytest.raises(PerfkitError, match="no address"), workers(address, 2):
        pass


def test_relative_paths_mean_the_same_where_the_workers_are(tmp_path, monkeypatch):
    four(tmp_path)
    monkeypatch.chdir(tmp_path)
    asked = []

    class Noting(ThreadPoolExecutor):
        def submit(self, function, source, *rest):
            asked.append(source)
            return super().submit(function, source, *rest)

    with Noting(1) as pool:
        analyze_ranks(sorted(path.name for path in tmp_path.iterdir()), pool)
    assert asked == sorted(str(path) for path in tmp_path.iterdir())


def test_a_worker_without_perfkit_is_one_sentence(tmp_path):
    class Bare(Executor):
        def submit(self, function, *rest):
            future: Future[object] = Future()
            future.set_exception(ModuleNotFoundError("No module named 'perfkit'"))
            return future

    with pytest.raises(PerfkitError, match="No module named 'perfkit'"):
        analyze_ranks(four(tmp_path), Bare())


def test_processes_lose_nothing_when_one_dies(tmp_path):
    sources = four(tmp_path)
    with workers(None, 2) as pool:
        killing = Killing(pool, sources[1], tmp_path / "mark")
        done = analyze_ranks(sources, killing)
    assert done.gaps == ()
    assert list(done.found.reports) == [0, 1, 2, 3]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A Dask scheduler on loopback with two worker processes."""
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        yield cluster.scheduler_address


@pytest.mark.slow
def test_a_cluster_finds_what_one_thread_finds(tmp_path, scheduler):
    sources = four(tmp_path)
    with workers(scheduler, len(sources)) as pool:
        done = analyze_ranks(sources, pool)
    with ThreadPoolExecutor(1) as pool:
        here = analyze_ranks(sources, pool)
    assert done == here
    (worst,) = done.found.stragglers
    assert (worst.rank, worst.phase, worst.late_by_ns) == (2, "compute", 4 * NS)


@pytest.mark.slow
def test_killing_a_worker_midway_loses_nothing(tmp_path, scheduler):
    sources = four(tmp_path)
    with workers(scheduler, len(sources)) as pool:
        done = analyze_ranks(sources, Killing(pool, sources[2], tmp_path / "mark"))
    assert (tmp_path / "mark").exists()
    assert done.gaps == ()
    assert done.found.stragglers[0].rank == 2


@pytest.mark.slow
def test_eight_recorded_ranks_through_a_cluster(scheduler):
    sources = [str(f) for f in corpus() if f.name.startswith("worker")]
    if not sources:
        pytest.skip("PERFKIT_TRACE_CORPUS has no traces")
    with workers(scheduler, len(sources)) as pool:
        done = analyze_ranks(sources, pool)
    assert done.gaps == ()
    assert list(done.found.reports) == list(range(8))
    assert done.found.stragglers[0].rank == 7


@pytest.mark.slow
def test_where_no_scheduler_answers_is_one_sentence(monkeypatch):
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    monkeypatch.setattr(_ranks, "_ANSWER_S", 0.5)
    with (
        pytest.raises(PerfkitError, match="no Dask scheduler answers"),
        workers("tcp://127.0.0.1:9", 2),
    ):
        pass


@pytest.mark.slow
def test_a_cluster_without_workers_is_one_sentence_and_no_endless_wait(monkeypatch):
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    monkeypatch.setattr(_ranks, "_ANSWER_S", 0.5)
    none = distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0")
    with none, pytest.raises(PerfkitError, match="has no workers"):
        workers(none.scheduler_address, 2).__enter__()


def test_a_trace_that_outlives_no_worker_is_told(tmp_path):
    scheduler = pytest.importorskip(
        "distributed.scheduler", reason="the extra 'cluster' is not installed"
    )
    sources = four(tmp_path)

    class Deadly(ThreadPoolExecutor):
        def submit(self, function, source, *rest):
            if source != sources[3]:
                return super().submit(function, source, *rest)
            future: Future[object] = Future()
            future.set_exception(scheduler.KilledWorker(source, None, 3))
            return future

    with Deadly(1) as pool:
        done = analyze_ranks(sources, pool)
    assert list(done.found.reports) == [0, 1, 2]
    assert "died" in done.gaps[0]


@needs_corpus("a100_nccl_collectives")
def test_a_newer_trace_tells_sizes_without_shapes(trace, monkeypatch):
    monkeypatch.setattr(_ranks, "read_shapes", lambda source: pytest.fail("read twice"))
    assert one_rank(str(trace)).collectives[0].sent_bytes == 212480


@pytest.mark.slow
def test_the_command_shows_who_was_late_here_and_through_a_cluster(tmp_path, scheduler):
    four(tmp_path / "job")
    seen = []
    for extra in ([], ["--cluster", scheduler]):
        asked = ["analyze", str(tmp_path / "job"), "--json", "--no-cache", *extra]
        done = CliRunner().invoke(group, asked, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        seen.append(Diagnosis.from_json(json.loads(done.stdout)))
    here, there = seen
    assert here == there
    assert here.verdict.why.startswith("Rank 2 is last, 400 µs per step behind the median rank")
    assert here.run == "job"
    assert [row["rank"] for row in here.tables["ranks"].records()] == [0, 1, 2, 3]

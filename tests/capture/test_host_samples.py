"""The host as psutil sees it: this process, and what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import psutil
import pytest

from perfkit.capture import host_samples
from perfkit.capture.host_samples import HostSource, allowed_cores, descendants

SECOND = 1_000_000_000


class SimpleTimes(NamedTuple):
    """Times of one core, as Linux orders them."""

    user: float
    idle: float
    iowait: float


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_a_process_that_ended_is_told_and_the_machine_still_sampled() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    source = HostSource(process.pid)
    found = source.read(0)
    assert "process_rss" not in found and found["memory_available"] > 0
    assert [(gap.what, gap.why) for gap in source.unavailable()] == [
        ("the process", "the process has ended")
    ]


def test_rates_are_unknown_at_the_first_reading() -> None:
    found = HostSource().read(0)
    rates = {"process_cpu", "cpu_busy", "workers_cpu", "disk_read", "network_sent"}
    assert not rates & found.keys()
    assert found["process_rss"] > 1 << 20


def test_counters_that_the_system_lacks_are_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "disk_io_counters", lambda: None)
    monkeypatch.setattr(psutil, "net_io_counters", lambda: None)
    source = HostSource()
    assert "disk_read" not in source.read(0)
    assert {gap.what for gap in source.unavailable()} == {"disk", "network"}


def test_no_permission_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    source = HostSource()

    def denied(self: object) -> None:
        raise psutil.AccessDenied(1)

    monkeypatch.setattr(psutil.Process, "memory_info", denied)
    assert "process_rss" not in source.read(0)
    assert "no permission" in {gap.what: gap.why for gap in source.unavailable()}["the process"]


def test_slow_things_are_asked_once_a_second() -> None:
    source = HostSource()
    assert "memory_available" in source.read(0)
    assert "memory_available" not in source.read(SECOND // 2)
    assert "memory_available" in source.read(20 * SECOND)


def test_a_busy_process_shows_as_cores_worth_of_time() -> None:
    source = HostSource()
    before = time.monotonic_ns()
    source.read(before)
    spent = time.process_time() + 0.05
    while time.process_time() < spent:
        pass
    now = time.monotonic_ns()
    share = source.read(now)["process_cpu"]
    assert share == pytest.approx(0.05e9 / (now - before), rel=0.5)


def test_children_are_workers(child: subprocess.Popen[bytes]) -> None:
    source = HostSource()
    found = source.read(0)
    assert found["workers"] == len(psutil.Process().children(recursive=True))
    assert found["workers_rss"] > 0
    later = source.read(100 * SECOND)
    assert 0 <= later["workers_cpu"] < 1


def test_another_process_may_be_watched(child: subprocess.Popen[bytes]) -> None:
    source = HostSource(child.pid)
    assert 0 < source.read(0)["process_rss"] < psutil.Process().memory_info().rss * 10
    assert source.identity()["process"] == str(child.pid)


def test_every_value_has_a_unit_and_shares_are_shares() -> None:
    source = HostSource()
    source.read(0)
    time.sleep(0.03)
    found = source.read(2 * SECOND)
    assert found.keys() <= source.units.keys()
    shares = [value for name, value in found.items() if source.units[name] == "ratio"]
    assert all(0 <= share <= 1.001 for share in shares)


def test_cores_allowed_are_those_of_the_affinity_or_the_containers_quota(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = tmp_path / "cpu.max"
    monkeypatch.setattr(host_samples, "_QUOTA", quota)
    assert allowed_cores(os.getpid()) == cores
    quota.write_text("max 100000\n")
    assert allowed_cores(os.getpid()) == cores
    quota.write_text("50000 100000\n")
    assert allowed_cores(os.getpid()) == 0.5


def test_children_are_found_by_thread_where_linux_lists_them(tmp_path: Path) -> None:
    assert descendants(os.getpid(), tmp_path) is None
    for pid, thread, children in (
        (os.getpid(), os.getpid(), ""),
        (500, 500, "501"),
        (500, 507, "502 503\n"),
        (502, 502, "504"),
    ):
        folder = tmp_path / f"{pid}/task/{thread}"
        folder.mkdir(parents=True)
        (folder / "children").write_text(children)
    assert descendants(500, tmp_path) == {501, 502, 503, 504}
    assert descendants(999, tmp_path) == set()


def test_where_the_process_ran_is_told_where_it_can_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil.Process, "cpu_num", lambda self: 5, raising=False)
    for nodes, told in (({5: 0}, None), ({}, None), ({4: 0, 5: 1}, 1), ({4: 0, 6: 1}, None)):
        monkeypatch.setattr(host_samples._numa, "of_processors", lambda nodes=nodes: nodes)
        assert HostSource().read(0).get("numa_node") == told


def test_reads_of_the_process_and_its_workers_are_one_sum(
    monkeypatch: pytest.MonkeyPatch, child: subprocess.Popen[bytes]
) -> None:
    read = {os.getpid(): 1_000, child.pid: 500}
    monkeypatch.setattr(
        psutil.Process, "io_counters", lambda self: SimpleNamespace(read_bytes=read[self.pid])
    )
    source = HostSource()
    assert "storage_read" not in source.read(0)
    read[child.pid] = 700
    assert source.read(SECOND)["storage_read"] == 200


def test_a_worker_that_ended_leaves_what_it_read_to_its_parent(
    monkeypatch: pytest.MonkeyPatch, child: subprocess.Popen[bytes]
) -> None:
    read = {os.getpid(): 1_000, child.pid: 500}

    def counters(self: psutil.Process) -> SimpleNamespace:
        if self.pid not in read:
            raise psutil.NoSuchProcess(self.pid)
        return SimpleNamespace(read_bytes=read[self.pid])

    monkeypatch.setattr(psutil.Process, "io_counters", counters)
    source = HostSource()
    source.read(0)
    read[os.getpid()] += read.pop(child.pid)
    assert source.read(SECOND)["storage_read"] == 0


def test_reads_that_nobody_may_see_are_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: object) -> None:
        raise psutil.AccessDenied(1)

    monkeypatch.setattr(psutil.Process, "io_counters", denied)
    source = HostSource()
    assert "storage_read" not in source.read(0)
    gaps = {gap.what: gap.why for gap in source.unavailable()}
    assert gaps["reads from storage"] == "no permission to look at the process"


def test_waiting_for_disks_is_the_share_of_the_allowed_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = SimpleTimes(user=5.0, idle=5.0, iowait=0.0)
    second = SimpleTimes(user=5.0, idle=8.0, iowait=1.0)
    every = psutil.cpu_count()
    answers = iter([[first] * every, [second] * every])
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: next(answers))
    source = HostSource()
    assert "cpu_iowait" not in source.read(0)
    assert source.read(SECOND)["cpu_iowait"] == pytest.approx(0.25)


def test_a_system_without_that_count_tells_none(monkeypatch: pytest.MonkeyPatch) -> None:
    class Times(NamedTuple):
        user: float
        idle: float

    answers = iter([[Times(1.0, 1.0)], [Times(2.0, 2.0)]])
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: next(answers))
    source = HostSource()
    source.read(0)
    assert "cpu_iowait" not in source.read(SECOND)


@pytest.fixture
def stats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for /proc, where only scheduling statistics are asked for."""
    monkeypatch.setattr(host_samples, "_PROC", tmp_path)
    return tmp_path


def _schedule(proc: Path, pid: int, ran: int, waited: int) -> None:
    (proc / str(pid)).mkdir(exist_ok=True)
    (proc / str(pid) / "schedstat").write_text(f"{ran} {waited} 7\n", encoding="ascii")


def test_a_thread_that_neither_runs_nor_waits_for_a_core_is_blocked(
    stats: Path, child: subprocess.Popen[bytes]
) -> None:
    for pid in (os.getpid(), child.pid):
        _schedule(stats, pid, 0, 0)
    source = HostSource()
    assert "process_blocked" not in source.read(0)
    _schedule(stats, os.getpid(), SECOND // 2, SECOND // 4)
    found = source.read(SECOND)
    assert (found["process_blocked"], found["workers_blocked"]) == (0.25, 1.0)


def test_a_system_without_scheduling_statistics_says_so(stats: Path) -> None:
    source = HostSource()
    assert "process_blocked" not in source.read(0)
    assert "blocked threads" in {gap.what for gap in source.unavailable()}

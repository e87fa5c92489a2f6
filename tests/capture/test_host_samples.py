"""The host as psutil sees it: this process, and what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from perfkit.capture import host_samples
from perfkit.capture.host_samples import HostSource, allowed_cores, descendants

SECOND = 1_000_000_000


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

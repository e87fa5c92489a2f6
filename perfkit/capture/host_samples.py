"""The host beside the devices, through psutil: processors, memory, workers, disk, network, NUMA node.

What costs more than a look at the process (every core, child processes, disk and network counters) is
asked only once or a few times a second, and more rarely where a machine makes it dear.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from perfkit.capture import _numa
from perfkit.model.run import Gap

_SECOND = 1_000_000_000
_OFTEN, _SLOWLY = _SECOND // 4, _SECOND
_DEAR = 500  # what takes 10 ms on this machine is asked every 5 s: a fifth of a percent of a core
_MOST_CORES = 256
_PROC = Path("/proc")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_FAILURES = (psutil.Error, OSError, NotImplementedError, AttributeError, RuntimeError, ValueError)


class HostSource:
    """The machine and one process on it (with its children), to be sampled.

    Values: `cpu_busy` and `cpu_core_N` are shares of time in which cores worked, for whomever;
    `process_cpu` and `workers_cpu` are cores' worth of CPU time, so 2.0 is two cores; `numa_node` is
    where the process's main thread ran last. `cpu_iowait` is the share of time in which cores had
    nothing to do but wait for disks, for whomever; `storage_read` is what the process and its children
    together had fetched from disks (what the page cache serves is not in it). `process_blocked` and
    `workers_blocked` are how many main threads, of the process and of its children, neither ran nor
    waited for a core.
    """

    subject = "host"

    def __init__(self, pid: int | None = None) -> None:
        self.pid = os.getpid() if pid is None else pid
        self._allowed = _allowed(self.pid)
        self._nodes = _numa.of_processors()
        self._gaps: dict[str, str] = {}
        self._due: dict[str, int] = {}
        self._before: dict[str, tuple[int, float]] = {}
        self._cores: list[tuple[float, float, float]] = []
        self._workers: dict[int, psutil.Process] = {}
        self._process: psutil.Process | None = None
        try:
            self._process = psutil.Process(self.pid)
        except _FAILURES as error:
            self._gaps["the process"] = _words(error)
        count = min(psutil.cpu_count() or 1, _MOST_CORES)
        self.units: Mapping[str, str] = {
            "cpu_busy": "ratio",
            "cpu_iowait": "ratio",
            **{f"cpu_core_{core}": "ratio" for core in range(count)},
            "process_cpu": "count",
            "process_rss": "bytes",
            "numa_node": "count",
            "workers": "count",
            "workers_cpu": "count",
            "workers_rss": "bytes",
            "memory_available": "bytes",
            "process_blocked": "ratio",
            "workers_blocked": "count",
            "storage_read": "bytes/s",
            "disk_read": "bytes/s",
            "disk_written": "bytes/s",
            "network_received": "bytes/s",
            "network_sent": "bytes/s",
        }

    def identity(self) -> Mapping[str, str]:
        """How many cores there are and may be used, memory, nodes."""
        facts = {
            "cores": str(psutil.cpu_count() or "unknown"),
            "cores allowed": f"{allowed_cores(self.pid):g}",
            "memory": str(psutil.virtual_memory().total),
            "process": str(self.pid),
        }
        if allowed_cores(self.pid) < len(self._allowed):
            facts["core quota"] = facts["cores allowed"]
        if self._nodes:
            facts["NUMA nodes"] = str(len(set(self._nodes.values())))
            mine = {self._nodes[core] for core in self._allowed if core in self._nodes}
            facts["NUMA nodes allowed"] = ", ".join(map(str, sorted(mine)))
        return facts

    def read(self, now_ns: int) -> dict[str, float]:
        """What is due; what failed is missing."""
        found: dict[str, float] = {}
        for what, every, read in (
            ("the process", 0, self._of_process),
            ("cores", _OFTEN, self._of_cores),
            ("the process's place", _OFTEN, self._of_place),
            ("workers", _SLOWLY, self._of_workers),
            ("reads from storage", _OFTEN, self._of_reads),
            ("blocked threads", _OFTEN, self._of_blocked),
            ("memory", _SLOWLY, self._of_memory),
            ("disk", _SLOWLY, self._of_disk),
            ("network", _SLOWLY, self._of_network),
        ):
            if now_ns >= self._due.get(what, 0):
                began = time.thread_time_ns()
                found |= self._tried(what, read, now_ns)
                took = time.thread_time_ns() - began
                self._due[what] = now_ns + (max(every, _DEAR * took) if every else 0)
        return found

    def unavailable(self) -> tuple[Gap, ...]:
        """What could not be had, and why."""
        return tuple(Gap(what, why) for what, why in self._gaps.items())

    def close(self) -> None:
        """Nothing is held open."""

    def _tried(
        self, what: str, read: Callable[[int], dict[str, float]], now: int
    ) -> dict[str, float]:
        try:
            return read(now)
        except _FAILURES as error:
            ended = isinstance(error, psutil.NoSuchProcess) and "process_cpu" in self._before
            if not ended:  # an end after many readings is no gap
                self._gaps[what] = _words(error)
            return {}

    def _of_process(self, now: int) -> dict[str, float]:
        if self._process is None:
            return {}
        held = float(self._process.memory_info().rss)
        if not held:  # a process that ended and was not yet collected
            return {}
        if self.pid == os.getpid():
            spent = time.process_time_ns() / 1e9  # the process's own clock is finer, and cheaper
        else:
            spent = sum(self._process.cpu_times()[:2])
        return {"process_rss": held, **self._rate("process_cpu", now, spent)}

    def _of_place(self, now: int) -> dict[str, float]:
        """The NUMA node, where there is more than one."""
        if self._process is None or len(set(self._nodes.values())) < 2:
            return {}
        node = self._nodes.get(self._process.cpu_num())
        return {} if node is None else {"numa_node": float(node)}

    def _of_cores(self, now: int) -> dict[str, float]:
        cores = [
            (_busy(times), sum(times[:8]), getattr(times, "iowait", math.nan))
            for times in psutil.cpu_times(percpu=True)
        ]
        before, self._cores = self._cores, cores
        if len(before) != len(cores):
            return {}
        shares = {
            # Linux's time of waiting for disks may run backwards, so a share may leave its bounds.
            core: min(1.0, max(0.0, (new[0] - old[0]) / (new[1] - old[1])))
            for core, (old, new) in enumerate(zip(before, cores, strict=True))
            if new[1] > old[1]
        }
        mine = [shares[core] for core in self._allowed if core in shares] or list(shares.values())
        found = {f"cpu_core_{core}": share for core, share in shares.items() if core < _MOST_CORES}
        return found | ({"cpu_busy": sum(mine) / len(mine)} if mine else {}) | self._waiting(before)

    def _waiting(self, before: list[tuple[float, float, float]]) -> dict[str, float]:
        """The share of time in which the allowed cores only waited for disks, where the system counts it."""
        mine = [core for core in self._allowed if core < len(before)] or range(len(before))
        waited = sum(self._cores[core][2] - before[core][2] for core in mine)
        whole = sum(self._cores[core][1] - before[core][1] for core in mine)
        if not whole > 0 or math.isnan(waited):  # a system without the count leaves NaN
            return {}
        return {"cpu_iowait": min(1.0, max(0.0, waited / whole))}

    def _of_workers(self, now: int) -> dict[str, float]:
        if self._process is None:
            return {}
        children = descendants(self.pid)
        if children is None:  # then every process of the machine must be looked at
            children = {child.pid for child in self._process.children(recursive=True)}
        for gone in self._workers.keys() - children:
            self._before.pop(f"worker {gone}", None)
            self._before.pop(f"awake {gone}", None)
            del self._workers[gone]
        spent, held, grown = 0.0, 0.0, 0.0
        for pid in children:
            try:
                worker = self._workers.get(pid) or psutil.Process(pid)
                self._workers[pid] = worker
                with worker.oneshot():
                    spent = sum(worker.cpu_times()[:2])
                    held += worker.memory_info().rss
            except psutil.NoSuchProcess:  # it ended between the list and the question
                continue
            grown += self._rate(f"worker {pid}", now, spent).get(f"worker {pid}", 0.0)
        found = {"workers": float(len(children)), "workers_rss": held}
        return found | ({"workers_cpu": grown} if "workers" in self._before else self._first(now))

    def _first(self, now: int) -> dict[str, float]:
        self._before["workers"] = (now, 0.0)
        return {}

    def _of_reads(self, now: int) -> dict[str, float]:
        """Of the process and its workers in one sum: what a worker read is its parent's once it ended."""
        if self._process is None:
            return {}
        total = self._process.io_counters().read_bytes
        for worker in self._workers.values():
            try:
                total += worker.io_counters().read_bytes
            except psutil.NoSuchProcess:
                continue
        return self._rate("storage_read", now, float(total))

    def _of_blocked(self, now: int) -> dict[str, float]:
        """Linux's scheduler counts the time that a thread ran and that it waited for a core; the rest it
        slept, for a disk, the network, a lock or a device."""
        if self._process is None:
            return {}
        own = self._blocked(self.pid, now)
        workers = [share for pid in self._workers if (share := self._blocked(pid, now)) is not None]
        found = {} if own is None else {"process_blocked": own}
        return found | ({"workers_blocked": sum(workers)} if workers else {})

    def _blocked(self, pid: int, now: int) -> float | None:
        """Of one process's main thread, since the reading before."""
        try:
            ran, waited, _ = (_PROC / f"{pid}/schedstat").read_text(encoding="ascii").split()
        except FileNotFoundError:
            if pid != self.pid:  # a worker that ended
                return None
            if not psutil.pid_exists(pid):
                raise psutil.NoSuchProcess(pid) from None
            raise NotImplementedError("the system keeps no scheduling statistics") from None
        name = f"awake {pid}"
        awake = self._rate(name, now, (int(ran) + int(waited)) / 1e9).get(name)
        return None if awake is None else min(1.0, max(0.0, 1 - awake))

    def _of_memory(self, now: int) -> dict[str, float]:
        return {"memory_available": float(psutil.virtual_memory().available)}

    def _of_disk(self, now: int) -> dict[str, float]:
        counters = psutil.disk_io_counters()
        if counters is None:
            raise NotImplementedError("the system has no disk counters")
        return self._rate("disk_read", now, counters.read_bytes) | self._rate(
            "disk_written", now, counters.write_bytes
        )

    def _of_network(self, now: int) -> dict[str, float]:
        counters = psutil.net_io_counters()
        if counters is None:
            raise NotImplementedError("the system has no network counters")
        return self._rate("network_received", now, counters.bytes_recv) | self._rate(
            "network_sent", now, counters.bytes_sent
        )

    def _rate(self, name: str, now: int, value: float) -> dict[str, float]:
        """Per second since the reading before; nothing at the first."""
        before = self._before.get(name)
        self._before[name] = (now, value)
        if before is None or now <= before[0] or value < before[1]:
            return {}
        return {name: (value - before[1]) / (now - before[0]) * 1e9}


def allowed_cores(pid: int) -> float:
    """Cores' worth of CPU time that a process may use: its affinity, and its container's quota."""
    count = float(len(_allowed(pid)) or psutil.cpu_count() or 1)
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        return min(count, int(quota) / int(period))
    except (OSError, ValueError):  # no container, or "max"
        return count


def _allowed(pid: int) -> list[int]:
    """The processors a process may run on; empty where the system does not tell."""
    try:
        return list(psutil.Process(pid).cpu_affinity())
    except _FAILURES:
        return []


def descendants(pid: int, proc: Path = Path("/proc")) -> set[int] | None:
    """Children of a process and theirs, as Linux lists them by thread; None where it does not."""
    if not (proc / f"{os.getpid()}/task/{os.getpid()}/children").exists():
        return None
    waiting, found = [pid], set[int]()
    while waiting:
        for file in proc.glob(f"{waiting.pop()}/task/*/children"):
            try:
                new = set(map(int, file.read_text(encoding="ascii").split())) - found
            except OSError:  # a thread that ended meanwhile
                continue
            waiting += new
            found |= new
    return found


def _busy(times: tuple[float, ...]) -> float:
    """Time a core worked; waiting for a disk is no work."""
    idle = getattr(times, "idle", 0.0) + getattr(times, "iowait", 0.0)
    return sum(times[:8]) - idle


def _words(error: BaseException) -> str:
    if isinstance(error, psutil.NoSuchProcess):
        return "the process has ended"
    if isinstance(error, psutil.AccessDenied):
        return "no permission to look at the process"
    return str(error) or type(error).__name__

"""The map over many ranks' traces: in processes here, or on the workers of a Dask cluster.

Each worker reads one trace and sends back a `RankReport`; the reduction happens here. A worker that
dies loses nothing: Dask gives its traces to another, and of the processes here each trace that was
lost is tried once more, alone. What still cannot be read is told, never left out in silence.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from perfkit.analysis.rank_report import RankReport, rank_report
from perfkit.analysis.ranks import Ranks, ranks
from perfkit.base.errors import NotObservable, PerfkitError
from perfkit.io.chrome import read_trace
from perfkit.io.collectives import read_shapes
from perfkit.model.events import Events

Read = Callable[[str], Events]

_ANSWER_S = 10
_ADDRESS = re.compile(r"(?:[a-z]+://)?(?:[\w.-]+|\[[\da-f:]+\]):\d+")


@dataclass(frozen=True)
class ManyRanks:
    """The reduction, the traces that could not be used (`name: why`), and the one to read on.

    `sources` are the traces by rank; `worst_rank` is the rank that made the others wait longest, or
    the first one where none did.
    """

    found: Ranks
    gaps: tuple[str, ...]
    sources: dict[int, str]

    @property
    def worst_rank(self) -> int:
        late = self.found.stragglers
        return late[0].rank if late else min(self.sources)

    @property
    def worst(self) -> str:
        """Its trace."""
        return self.sources[self.worst_rank]


def analyze_ranks(sources: Sequence[str], executor: Executor, read: Read = read_trace) -> ManyRanks:
    """Read each trace on a worker, reduce the ranks here.

    Args:
        sources: paths or URLs that the workers can open.
        executor: see `workers`; any `concurrent.futures.Executor` will do.
        read: `read_trace` or `cached_trace`.

    Raises:
        PerfkitError: fewer than two of the traces can be used.
    """
    futures = [executor.submit(one_rank, _anywhere(source), read) for source in sources]
    reports: list[RankReport] = []
    used: list[str] = []
    gaps: list[str] = []
    for source, future in zip(sources, futures, strict=True):
        found = _result(source, read, future)
        if isinstance(found, RankReport):
            reports.append(found)
            used.append(source)
        else:
            gaps.append(f"{_name(source)}: {found}")
    if len(reports) < 2:
        why = "; ".join(gaps) or "only one was given"
        raise PerfkitError(
            f"fewer than two ranks can be used: {why}", "give the traces of several ranks"
        )
    by_report = {id(report): source for report, source in zip(reports, used, strict=True)}
    joined = ranks(reports)
    return ManyRanks(joined, tuple(gaps), {r: by_report[id(x)] for r, x in joined.reports.items()})


def one_rank(source: str, read: Read = read_trace) -> RankReport:
    """What a worker does with one trace.

    Raises:
        PerfkitError: it cannot be read.
        NotObservable: there is nothing in it.
    """
    events = read(source)
    told = any(each.in_elements is not None for each in events.collectives)
    return rank_report(events, {} if told else read_shapes(source), _name(source))


@contextmanager
def workers(cluster: str | None, traces: int) -> Iterator[Executor]:
    """Processes on this machine, or the workers of the Dask scheduler at `cluster`.

    Raises:
        PerfkitError: Dask is not installed, no scheduler answers, or it has no workers.
    """
    if cluster is None:
        with _processes(min(traces, os.cpu_count() or 1)) as pool:
            yield pool
        return
    if not _ADDRESS.fullmatch(cluster):
        raise PerfkitError(
            f"{cluster!r} is no address of a Dask scheduler", "it looks like tcp://host:8786"
        )
    try:
        from distributed import Client  # optional: the extra "cluster"
    except ImportError as error:
        raise PerfkitError("--cluster needs Dask", "pip install 'perfkit[cluster]'") from error
    try:
        client = Client(cluster, timeout=_ANSWER_S, set_as_default=False)
    except (OSError, ValueError, asyncio.TimeoutError) as error:  # not one class before 3.11
        raise PerfkitError(
            f"no Dask scheduler answers at {cluster}",
            "start one with `dask scheduler`, workers with `dask worker ADDRESS`",
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_ANSWER_S)
        except (OSError, asyncio.TimeoutError) as error:
            raise PerfkitError(
                f"the Dask scheduler at {cluster} has no workers",
                f"start some: dask worker {cluster}",
            ) from error
        with client.get_executor(pure=False) as pool:
            yield pool


def _processes(count: int) -> ProcessPoolExecutor:
    # Forking would copy the threads' locks of whoever calls this.
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


def _result(source: str, read: Read, future: Future[RankReport]) -> RankReport | str:
    """The report, or why there is none."""
    try:
        return future.result()
    except PerfkitError as error:
        return error.message
    except NotObservable as reason:
        return str(reason)
    except BrokenExecutor:
        return _once_more(source, read)
    except ModuleNotFoundError as error:
        raise PerfkitError(
            f"a worker cannot work: {error}", "install the same perfkit on every worker"
        ) from error
    except _killed():
        return "each worker that read it died; is there too little memory?"


def _once_more(source: str, read: Read) -> RankReport | str:
    with _processes(1) as pool:
        try:
            return pool.submit(one_rank, source, read).result()
        except BrokenExecutor:
            return "each process that read it died; is there too little memory?"
        except PerfkitError as error:
            return error.message
        except NotObservable as reason:
            return str(reason)


def _killed() -> tuple[type[BaseException], ...]:
    """What Dask raises when a task has outlived too many workers."""
    scheduler = sys.modules.get("distributed.scheduler")
    return (scheduler.KilledWorker,) if scheduler is not None else ()


def _anywhere(source: str) -> str:
    """A path that means the same in another working directory; URLs as they are."""
    return source if "://" in source else os.path.abspath(source)


def _name(source: str) -> str:
    return source.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]

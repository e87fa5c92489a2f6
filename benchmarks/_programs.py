"""Whole programs beside single rewrites: the CTR model end to end, and reading its history.

Each runs in a process of its own, as it does for whoever uses it. It matters: half of the found CTR
program's time are page faults of its large masks, and in a process whose allocator has already grown
by other work they vanish (480 ms become 250, and 10x becomes 5x).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from perfkit.rewrites._timing import cpu_times
from perfkit.workloads.ctr import loading, stages

PROBABILITY_ERROR = 1e-6


@dataclass(frozen=True)
class Program:
    """One line: what was measured, what it must reach, and whether it does."""

    what: str
    measured: str
    must: str
    held: bool


def programs(rounds: int) -> Iterator[Program]:
    """Every whole-program goal."""
    yield from _end_to_end(rounds)
    yield from _counts()
    yield from _history()


def _end_to_end(rounds: int) -> Iterator[Program]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield from pool.submit(_end_to_end_here, rounds).result()


def _end_to_end_here(rounds: int) -> list[Program]:
    made = stages.end_to_end()
    times = cpu_times(made.forms, made.inputs, rounds=max(rounds, 9))
    found, reached = made.forms[0].run(), []
    for name, ratio in (
        (stages.ALL_USERS, 8),
        ("only users asked about", 30),
        (stages.FASTEST, 30),
    ):
        error = float((made.form(name).run() - found).abs().max())
        times_faster = times["found"] / times[name]
        made_of = Program(
            f"CTR end to end, 2 layers: {name}",
            f"{times_faster:.3g}x CPU time, probabilities within {error:.0e}",
            f"{ratio}x, {PROBABILITY_ERROR:.0e}",
            times_faster >= ratio and error <= PROBABILITY_ERROR,
        )
        reached.append(made_of)
    return reached


def _counts() -> Iterator[Program]:
    counted = stages.end_to_end_counts(layers=8)
    found = counted["found"]
    for name in (stages.ALL_USERS, stages.FASTEST):
        now = counted[name]
        yield Program(
            f"CTR forward, 8 layers: {name}",
            f"{found.device_ops} → {now.device_ops} device ops, {found.syncs} → {now.syncs} syncs",
            "≤ 300 device ops, 0 syncs",
            now.device_ops <= 300 and now.syncs == 0,
        )


def _history() -> Iterator[Program]:
    read = loading.history_loading()
    share = read.memory_share
    yield Program(
        f"history of {read.rows} rows, users filtered while reading",
        f"{read.times_faster:.3g}x CPU time, "
        + ("memory unknown" if share is None else f"{share:.0%} of the memory"),
        "4x at 15 % of the memory",
        read.times_faster >= 4 and share is not None and share <= 0.15,
    )

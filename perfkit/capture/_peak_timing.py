"""Timing for peaks: the best of many, since whatever disturbs only ever adds."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

Work = Callable[[], object]


def best_seconds(work: Work, device: torch.device, budget_s: float, most: int = 50) -> float:
    """Least seconds of one call until it is done, over at least three calls after a warm-up.

    Calls stop after `budget_s` seconds or `most` calls.
    """
    work()
    _wait(device)
    best, began, calls = float("inf"), time.perf_counter(), 0
    while calls < 3 or (calls < most and time.perf_counter() - began < budget_s):
        best = min(best, _once(work, device))
        calls += 1
    return best


def host_ns(work: Work, device: torch.device, calls: int = 200, rounds: int = 15) -> float:
    """Least mean nanoseconds until one call returns, over rounds of `calls` calls.

    The device is idle before each round and `calls` fit its queue, so that no call waits for room.
    """
    work()
    best = float("inf")
    for _ in range(rounds):
        _wait(device)
        began = time.perf_counter_ns()
        for _ in range(calls):
            work()
        best = min(best, (time.perf_counter_ns() - began) / calls)
    _wait(device)
    return best


def _once(work: Work, device: torch.device) -> float:
    if device.type == "cpu":
        began = time.perf_counter()
        work()
        return time.perf_counter() - began
    start = torch.cuda.Event(enable_timing=True)
    end = torch.cuda.Event(enable_timing=True)
    start.record()
    work()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1e3


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

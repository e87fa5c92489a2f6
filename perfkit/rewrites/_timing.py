"""How long forms take: CPU time of whole calls, turn by turn, so that noise meets all alike.

On a machine that others use, wall time says little; time of the process says what the work costs.
With more than one thread it would count their spinning, so one thread is set for the measurement.
On CUDA a call is dispatched long before it is done: `dispatch_and_completed` gives both times.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch

from perfkit.rewrites import _tree
from perfkit.rewrites._parity import evaluate
from perfkit.rewrites._rewrite import Form, Inputs

ENOUGH_S = 0.002
LONG_ENOUGH_S = 0.3
MOST_ROUNDS = 25


def cpu_times(
    forms: Sequence[Form], inputs: Inputs, backward: bool = False, rounds: int = 7
) -> dict[str, float]:
    """Median seconds of CPU time per call of each form, on one thread, after a warm-up call.

    A form whose call is shorter than `ENOUGH_S` is called several times per round, and there are
    more rounds than asked for where they are short: noise comes in bursts.
    """
    own = {form.name: _tree.fresh(inputs) for form in forms}
    taken: dict[str, list[float]] = {form.name: [] for form in forms}
    with one_thread():
        _call_times(forms[0], own[forms[0].name], backward, 1)  # torch's own first-call work
        calls = {f.name: _calls_needed(f, own[f.name], backward) for f in forms}
        began = time.process_time()
        for turn in range(max(rounds, MOST_ROUNDS)):
            if turn >= rounds and time.process_time() - began > LONG_ENOUGH_S:
                break
            for form in forms:
                times = _call_times(form, own[form.name], backward, calls[form.name])
                taken[form.name].append(times)
    return {name: statistics.median(times) for name, times in taken.items()}


def _calls_needed(form: Form, inputs: Inputs, backward: bool) -> int:
    once = _call_times(form, inputs, backward, 1)
    return max(1, round(ENOUGH_S / max(once, 1e-6)))


def _call_times(form: Form, inputs: Inputs, backward: bool, calls: int) -> float:
    """Seconds of CPU time per call."""
    began = time.process_time()
    for _ in range(calls):
        evaluate(form, inputs, backward)
    return (time.process_time() - began) / calls


def completed_times(
    forms: Sequence[Form],
    inputs: Inputs,
    device: torch.device,
    backward: bool,
    rounds: int,
    stays_on_host: tuple[int, ...] = (),
) -> Iterator[tuple[str, tuple[float, float]]]:
    """Each form's name with median wall seconds until completion and until the call returned."""
    own = {form.name: _tree.placed(inputs, device, stays_on_host) for form in forms}
    taken: dict[str, list[tuple[float, float]]] = {form.name: [] for form in forms}
    for turn in range(rounds + 2):
        for form in forms:
            call = partial(evaluate, form, own[form.name], backward)
            times = dispatch_and_completed(call, device)
            if turn >= 2:  # allocator, autotuning and lazy loading happen in the first two
                taken[form.name].append(times)
    for name, pairs in taken.items():
        dispatched, completed = zip(*pairs, strict=True)
        yield name, (statistics.median(completed), statistics.median(dispatched))


@contextmanager
def one_thread() -> Iterator[None]:
    """torch uses one thread inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def dispatch_and_completed(call: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Wall seconds until a call returned, and until the device had done its work."""
    _wait(device)
    began = time.perf_counter()
    call()
    dispatched = time.perf_counter() - began
    _wait(device)
    return dispatched, time.perf_counter() - began


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

"""What perfkit's instruments cost, as ratios to the bare program in one run.

    python benchmarks/overhead.py [--rounds 9] [--json FILE]

Three programs: a loop of tiny operators with a read at the end, a training step of a 2-layer d=64
transformer, and one of a 4-layer d=256 transformer. CPU time of the process, one thread; the variants
take turns within a round, and a ratio is the median over rounds of the ratio within the round, so that
a noisy neighbour slows both sides.

    bare        step marks only, what every step pays while a capture is on
    guard       the always-on detector (`guard`): the interposer alone, at the CPU key here
    profiler    plain torch.profiler, for comparison
    light       perfkit's light phase
    pretend     the pretend CUDA device, judging every call
    costed      the same in the one deep step whose operators are costed as well
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.profiler import ProfilerActivity, profile

from perfkit.capture.costs import CostRecorder
from perfkit.capture.kineto import KinetoTrace
from perfkit.capture.marks import marking
from perfkit.detectors.evidence import Evidence, listening
from perfkit.detectors.watch_cuda import watch_cuda
from perfkit.pretend import Pretence, pretend_cuda

Step = Callable[[], None]
Program = Callable[[str], Step]
LIMITS = {
    "bare": (1.05, 1.05, 1.05),
    "guard": (1.2, 1.1, 1.05),
    "light / profiler": (1.15, 1.15, 1.15),
    "pretend": (10.0, 5.0, 1.5),
    "costed": (20.0, 8.0, 1.7),
}


def tiny_ops(device: str) -> Step:
    """21 operators on 8 elements and one read, 20 times."""
    start = torch.rand(8, device=device)

    def step() -> None:
        for _ in range(20):
            value = start
            for _ in range(10):
                value = (value + start) * 0.5
            value.sum().item()

    return step


def transformer(layers: int, width: int, batch: int, length: int) -> Program:
    """A training step with AdamW."""

    def make(device: str) -> Step:
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True)
        model = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False).to(device)
        optimizer = torch.optim.AdamW(model.parameters())
        tokens = torch.rand(batch, length, width).to(device)

        def step() -> None:
            optimizer.zero_grad()
            model(tokens).pow(2).mean().backward()
            optimizer.step()

        return step

    return make


PROGRAMS: dict[str, tuple[Program, int]] = {
    "tiny operators": (tiny_ops, 10),
    "transformer 2 x 64": (transformer(2, 64, 8, 16), 10),
    "transformer 4 x 256": (transformer(4, 256, 16, 64), 1),
}


class _Nobody:
    """Hears every mark and does nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


@contextmanager
def _guarded() -> Iterator[None]:
    with watch_cuda("CPU"), listening(Evidence()):
        yield


@contextmanager
def _light() -> Iterator[None]:
    trace = KinetoTrace()
    trace.start()
    yield
    trace.stop()


@contextmanager
def _plain_profiler() -> Iterator[None]:
    with profile(activities=[ProfilerActivity.CPU]):
        yield


VARIANTS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "nothing": nullcontext,
    "bare": lambda: marking(_Nobody()),
    "guard": _guarded,
    "profiler": _plain_profiler,
    "light": _light,
}


def cpu_time(step: Step, repeats: int) -> float:
    """Seconds of CPU per step; starting and stopping an instrument are not in it."""
    step()
    began = time.process_time()
    for _ in range(repeats):
        step()
    return (time.process_time() - began) / repeats


def one_round(program: Program, repeats: int) -> dict[str, float]:
    """Seconds per step under each variant."""
    seconds = {}
    step = program("cpu")
    step()
    for name, variant in VARIANTS.items():
        with variant():
            seconds[name] = cpu_time(step, repeats)
    with ExitStack() as stack:
        pretence = stack.enter_context(pretend_cuda())
        stack.enter_context(listening(Evidence()))
        pretended = program("cuda")
        pretended()
        seconds["pretend"] = cpu_time(pretended, repeats)
        seconds["costed"] = _costed(pretended, pretence)
    return seconds


def _costed(step: Step, pretence: Pretence) -> float:
    """Seconds of the one step that is recorded; costing it happens after the step."""
    recorder = CostRecorder(Evidence())
    recorder.begin("pretend-cuda", pretence)
    began = time.process_time()
    step()
    took = time.process_time() - began
    recorder.end(counts=True)
    return took


def ratios(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Medians over rounds of the ratio to the bare program within the round."""
    over = {"bare": "nothing", "guard": "nothing", "profiler": "nothing", "light": "nothing",
            "pretend": "nothing", "costed": "nothing"}  # fmt: skip
    result = {n: statistics.median(r[n] / r[base] for r in rounds) for n, base in over.items()}
    result["light / profiler"] = statistics.median(r["light"] / r["profiler"] for r in rounds)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    table = Table("program", "bare step", *LIMITS, title="Overhead, x of the bare program (limit)")
    for position, (name, (program, repeats)) in enumerate(PROGRAMS.items()):
        rounds = [one_round(program, repeats) for _ in range(options.rounds + 1)][1:]
        found = ratios(rounds)
        step_ms = statistics.median(r["nothing"] for r in rounds) * 1e3
        rows.append({"program": name, "step_ms": step_ms, **found})
        cells = [f"{found[k]:.2f} ({limit[position]})" for k, limit in LIMITS.items()]
        table.add_row(name, f"{step_ms:.2f} ms", *cells)
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

"""perfkit's measured peaks of this CPU beside independent measurements, in one run, taking turns.

    python benchmarks/peaks.py [--rounds 9] [--json FILE]
    OMP_NUM_THREADS=1 python benchmarks/peaks.py        where others use the machine

    GEMM      perfkit: torch.mm                 here: numpy's matmul (another BLAS), best of the same sizes
    memory    perfkit: torch's streams          here: copy, triad and update in C with OpenMP, where gcc
                                                is, else numpy's update, as many threads as torch has

A round measures both sides of a figure directly after each other, in turn first the one and first the
other. The figures are the best of all rounds, as peaks are; the ratio is the median over rounds of the
ratio within a round, so that a noisy neighbour slows both sides. Wanted: 0.8 to 1.2. Threads that wait
for each other lose more than their share to neighbours: compare one thread there.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from perfkit.capture import _peak_figures as figures

CPU = torch.device("cpu")
SIZES = (256, 512, 1024, 2048)
WANTED = (0.8, 1.2)
Figure = Callable[[], float]
STREAM = r"""
void copy(double *a, const double *b, long n) {
#pragma omp parallel for
    for (long i = 0; i < n; i++) a[i] = b[i];
}
void triad(double *a, const double *b, const double *c, long n) {
#pragma omp parallel for
    for (long i = 0; i < n; i++) a[i] = b[i] + 3.0 * c[i];
}
void update(double *a, const double *b, long n) {
#pragma omp parallel for
    for (long i = 0; i < n; i++) a[i] += b[i];
}
"""


def best(work: Callable[[], object], budget_s: float) -> float:
    """Least seconds of a call."""
    work()
    least, began = float("inf"), time.perf_counter()
    while time.perf_counter() - began < budget_s:
        start = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - start)
    return least


def numpy_gemm(dtype: str, budget_s: float) -> float:
    """FLOP/s of numpy's matrix product, best of several sizes."""
    found = 0.0
    for size in SIZES:
        a, b = (np.random.default_rng(0).random((size, size)).astype(dtype) for _ in range(2))
        out = np.empty_like(a)
        found = max(
            found, 2 * size**3 / best(lambda a=a, b=b, out=out: np.matmul(a, b, out), budget_s)
        )
    return found


def c_stream(folder: Path) -> ctypes.CDLL | None:
    """The C kernels compiled for this machine; None without a compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    source, library = folder / "stream.c", folder / "stream.so"
    source.write_text(STREAM)
    command = [compiler, "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"]
    done = subprocess.run([*command, str(source), "-o", str(library)], capture_output=True)
    return ctypes.CDLL(str(library)) if done.returncode == 0 else None


def stream(library: ctypes.CDLL | None, nbytes: int, budget_s: float) -> float:
    """Bytes/s of the best stream over arrays of `nbytes`."""
    n = nbytes // 8
    a, b, c = (np.ones(n) for _ in range(3))
    if library is None:
        return 3 * nbytes / best(_slices(a, b), budget_s)
    at = [ctypes.c_void_p(x.ctypes.data) for x in (a, b, c)]
    size = ctypes.c_long(n)
    copy = best(lambda: library.copy(at[0], at[1], size), budget_s)
    triad = best(lambda: library.triad(*at, size), budget_s)
    update = best(lambda: library.update(at[0], at[1], size), budget_s)
    return max(2 * nbytes / copy, 3 * nbytes / triad, 3 * nbytes / update)


def _slices(a: np.ndarray, b: np.ndarray) -> Callable[[], object]:
    """numpy's update in as many threads as torch has."""
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads)
    pairs = list(zip(np.array_split(a, threads), np.array_split(b, threads), strict=True))
    return lambda: list(pool.map(lambda pair: np.add(*pair, out=pair[0]), pairs))


def measure(rounds: int, budget_s: float, folder: Path) -> list[dict[str, object]]:
    """One row per figure: perfkit's, the independent one, their ratio."""
    library = c_stream(folder)
    by = "numpy in threads" if library is None else "C with OpenMP"
    nbytes = figures.array_bytes(CPU)
    sides: dict[tuple[str, str], tuple[Figure, Figure]] = {
        ("GEMM float32", "numpy"): (_gemm("float32", budget_s), _numpy_gemm("float32", budget_s)),
        ("GEMM float64", "numpy"): (_gemm("float64", budget_s), _numpy_gemm("float64", budget_s)),
        ("memory", by): (
            lambda: figures.bandwidth(CPU, budget_s).value,
            lambda: stream(library, nbytes, budget_s),
        ),
    }
    found: dict[tuple[str, str], list[tuple[float, float]]] = {name: [] for name in sides}
    for turn in range(rounds):
        for name, (ours, theirs) in sides.items():
            if turn % 2:
                reference = theirs()
                found[name].append((ours(), reference))
            else:
                found[name].append((ours(), theirs()))
    return [_row(*name, pairs) for name, pairs in found.items()]


def _gemm(dtype: str, budget_s: float) -> Figure:
    def measured() -> float:
        peak = figures._best_product(dtype, CPU, budget_s)
        return 0.0 if peak is None else peak.value

    return measured


def _numpy_gemm(dtype: str, budget_s: float) -> Figure:
    return lambda: numpy_gemm(dtype, budget_s)


def _row(figure: str, by: str, pairs: list[tuple[float, float]]) -> dict[str, object]:
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    best_ours, best_theirs = (max(side) for side in zip(*pairs, strict=True))
    return {
        "figure": figure, "independent": by, "perfkit": best_ours, "reference": best_theirs,
        "ratio": ratio, "ratio of the best": best_ours / best_theirs,
        "within": WANTED[0] <= ratio <= WANTED[1],
    }  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--budget", type=float, default=0.03, help="seconds per size and figure")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(asked.rounds, asked.budget, Path(folder))
    table = Table(box=None)
    for name in ("figure", "perfkit", "other", "by", "ratio", "of best", "holds"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        values = [f"{float(str(row[side])) / 1e9:,.1f}" for side in ("perfkit", "reference")]
        ratios = [f"{row[name]:.2f}" for name in ("ratio", "ratio of the best")]
        within = "yes" if row["within"] else "no"
        table.add_row(str(row["figure"]), *values, str(row["independent"]), *ratios, within)
    threads = f"{torch.get_num_threads()} thread(s), torch {torch.__version__}"
    Console(highlight=False).print(f"{threads}; GFLOP/s and GB/s\n", table)
    if asked.json is not None:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

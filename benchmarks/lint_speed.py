"""How fast `perfkit lint` reads: lines per second, as a multiple of parsing alone, beside ruff.

Reads installed packages (torch.nn, torch.optim, torch.distributions and torch.testing without
arguments: code that names torch in every file) once to warm up and then several times. `ast.parse` is
the floor under any tool written in Python; ruff, written in Rust, checks other things and is shown for
scale where it is installed. The whole command is `perfkit lint` as a process of its own: start, reading,
checks, naming the fixes that apply, printing. Exit code 3 where it reads fewer than 10,000 lines per
second of CPU.

    python benchmarks/lint_speed.py [--repeat N] [--json FILE] [PATH...]
"""

from __future__ import annotations

import argparse
import ast
import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from perfkit.lint._files import files, text_of
from perfkit.lint._run import lint_text
from perfkit.lint._settings import Settings

DEFAULT = ("nn", "optim", "distributions", "testing")
LEAST_LINES_PER_SECOND = 10_000


def texts(paths: list[Path]) -> dict[str, str]:
    """Every file that can be decoded."""
    read = {file.as_posix(): text_of(file) for file in files(paths, ())}
    return {path: text for path, text in read.items() if isinstance(text, str)}


def seconds(work: Callable[[], object], repeat: int) -> list[float]:
    """CPU seconds of each call after one to warm up; a busy machine does not count."""
    work()
    spent = []
    for _ in range(repeat):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return spent


def linted(sources: dict[str, str]) -> int:
    settings = Settings()
    return sum(len(lint_text(text, path, settings).findings) for path, text in sources.items())


def parsed(sources: dict[str, str]) -> None:
    for text in sources.values():
        try:
            ast.parse(text)
        except (SyntaxError, ValueError):
            continue


def command_seconds(paths: list[Path]) -> float:
    """CPU seconds of one run of the command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = (sys.executable, "-m", "perfkit", "lint", "--exit-zero", *map(str, paths))
    subprocess.run(words, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def ruff_seconds(paths: list[Path]) -> float | None:
    """The clock's seconds of one ruff run without its cache; None where it is not installed."""
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    if ruff is None:
        return None
    began = time.perf_counter()
    subprocess.run(
        [ruff, "check", "--no-cache", "--isolated", "--exit-zero", "--quiet", *map(str, paths)],
        capture_output=True,
        check=False,
    )
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the row there too")
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # the packages' own unescaped strings
    spec = find_spec("torch")
    assert spec is not None and spec.origin is not None
    paths = options.paths or [Path(spec.origin).parent / name for name in DEFAULT]
    sources = texts(paths)
    lines = sum(text.count("\n") + 1 for text in sources.values())
    lint = statistics.median(seconds(lambda: linted(sources), options.repeat))
    parse = statistics.median(seconds(lambda: parsed(sources), options.repeat))
    whole = statistics.median(command_seconds(paths) for _ in range(options.repeat))
    ruff = ruff_seconds(paths)
    row = {
        "files": len(sources),
        "lines": lines,
        "findings": linted(sources),
        "lines_per_second": round(lines / lint),
        "whole_command_lines_per_second": round(lines / whole),
        "times_ast_parse": round(lint / parse, 2),
        "times_ruff_by_the_clock": round(lint / ruff, 1) if ruff else None,
    }
    for name, value in row.items():
        print(f"{name:32}{value if value is not None else 'ruff is not installed':>12}")
    if options.json:
        options.json.write_text(json.dumps(row, indent=1) + "\n")
    return 3 if lines / whole < LEAST_LINES_PER_SECOND else 0


if __name__ == "__main__":
    sys.exit(main())

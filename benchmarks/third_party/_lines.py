"""Write which lines a program runs under the pretend device, as JSON: file, then its lines.

A static finding on a line that no run reached is neither right nor wrong; `benchmarks/lint_truth.py`
judges the others. Lines of torch, the standard library and perfkit are left out.

Usage: python _lines.py OUTPUT SCRIPT [ARGS]...   (or -m MODULE in place of SCRIPT)
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import sysconfig
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from perfkit.pretend import pretend_cuda

PATHS = sysconfig.get_paths()
TORCH = os.path.dirname(torch.__file__) + os.sep
SITE = PATHS["purelib"] + os.sep
LEFT_OUT = ("torch", "numpy", "pandas", "scipy", "sympy", "sklearn", "rich", "joblib", "networkx")
SKIP = tuple(SITE + name + os.sep for name in LEFT_OUT)
Tracer = Callable[[FrameType, str, Any], Any]
executed: dict[str, set[int]] = {}


@cache
def wanted(file: str) -> bool:
    if file.startswith((TORCH, "<", *SKIP)) or file == os.path.abspath(__file__):
        return False
    if f"{os.sep}perfkit{os.sep}" in file:
        return f"{os.sep}workloads{os.sep}" in file or f"{os.sep}rewrites{os.sep}" in file
    return file.startswith(SITE) or not file.startswith(PATHS["stdlib"])


def trace(frame: FrameType, event: str, argument: Any) -> Tracer | None:
    file = frame.f_code.co_filename
    if not wanted(file):
        return None
    lines = executed.setdefault(file, set())

    def local(inner: FrameType, event: str, argument: Any) -> Tracer:
        lines.add(inner.f_lineno)
        return local

    return local


def main() -> int:
    output, script, *arguments = sys.argv[1:]
    try:
        with pretend_cuda():
            sys.settrace(trace)
            try:
                if script == "-m":
                    sys.argv = arguments
                    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
                else:
                    sys.argv = [script, *arguments]
                    sys.path[0] = os.path.dirname(os.path.abspath(script))
                    runpy.run_path(script, run_name="__main__")
            finally:
                sys.settrace(None)
    except SystemExit as left:
        if left.code not in (None, 0):
            raise
    Path(output).write_text(json.dumps({file: sorted(lines) for file, lines in executed.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

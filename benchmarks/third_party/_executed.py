"""List the executed lines of a program that look like a synchronisation or branch on the device.

The second help for writing truth files: no tensors are watched, only which lines of the script and
of installed packages ran, and whether their text matches a pattern. Catches what `_oracle.py` cannot
see (branches taken only on CUDA, transfers that are no-ops here).

Usage: python _executed.py SCRIPT [ARGS]...
"""

from __future__ import annotations

import inspect
import linecache
import os
import re
import runpy
import sys
import sysconfig
from functools import cache
from types import FrameType
from typing import Any

STDLIB = sysconfig.get_paths()["stdlib"] + os.sep
SITE = sysconfig.get_paths()["purelib"] + os.sep
# Packages whose lines hold no tensor work, or that are torch itself.
SKIP = tuple(
    SITE + name + os.sep
    for name in (
        "torch",
        "numpy",
        "pandas",
        "scipy",
        "sympy",
        "rich",
        "networkx",
        "sklearn",
        "fsspec",
        "narwhals",
        "mpmath",
        "joblib",
        "dateutil",
    )
)
SUSPECT = re.compile(
    r"\.(item|tolist|cpu|cuda|numpy|nonzero|to|copy_|unique|masked_select|pin_memory|type_as|any|all)\("
    r"|\b(bool|int|float|print|asarray|as_tensor|tensor|nonzero|unique|bincount|argwhere|one_hot)\("
    r"|where\(|allclose\(|\.equal\(|repeat_interleave|pack_padded|cuda|synchronize|empty_cache"
    r"|torch\.(FloatTensor|LongTensor|BoolTensor|from_numpy|normal|multinomial|linalg)|device\.type"
    r"|\[[^\]]*(mask|idx|ind|cond)\w*[^\]]*\]|\bmax\(|\bmin\(|\bsum\("
)
executed: set[tuple[str, int]] = set()


@cache
def wanted(file: str) -> bool:
    if file == os.path.abspath(__file__) or file.startswith("<") or file.startswith(SKIP):
        return False
    return file.startswith(SITE) or not file.startswith(STDLIB)


def trace(frame: FrameType, event: str, arg: Any) -> Any:
    file = frame.f_code.co_filename
    if not wanted(file):
        return None
    in_function = frame.f_code.co_flags & inspect.CO_OPTIMIZED
    if event == "line" and (in_function or not file.startswith(SITE)):
        executed.add((file, frame.f_lineno))
    return trace


def main() -> int:
    sys.argv = sys.argv[1:]
    script = os.path.abspath(sys.argv[0])
    sys.path[0] = os.path.dirname(script)
    sys.settrace(trace)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        sys.settrace(None)
        for file, line in sorted(executed):
            text = linecache.getline(file, line).strip()
            if SUSPECT.search(text):
                print(f"{file.removeprefix(SITE)}:{line}\t{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

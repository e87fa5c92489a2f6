#!/usr/bin/env python3
"""Rewrite perfkit/io/words/: the words that redaction may keep, taken from public sources.

    scripts/known_words.py [SITE_PACKAGES ...] [--traces FOLDER]

`torch.txt`: words of torch's operators, classes, module and header files, and of its kernels in the
traces. `public.txt`: further words of module files, functions and classes of torch, of the standard
library and of the well-known packages found in this environment or in SITE_PACKAGES.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import re
import sysconfig
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from perfkit.io._vocabulary import PACKAGES, split
from perfkit.io.chrome import read_trace

WORDS = Path(__file__).resolve().parents[1] / "perfkit/io/words"
PUBLIC_CODE = re.compile(
    r"\b(?:(?:at|c10|cub|thrust|cutlass|nccl\w*|rocprim|pytorch_flash|hipcub|cask\w*|cudnn\w*|fbgemm\w*"
    r"|torch)::[\w:]+|\w*(?:cudnn|nccl|gemm|cutlass|xmma|nvjet|Cijk)\w*)"
)
CALLS = ("cuda_runtime", "cuda_driver", "gpu_memcpy", "gpu_memset", "overhead")


def operators() -> Iterator[str]:
    for schema in torch._C._jit_get_all_schemas():
        yield schema.name
        yield schema.overload_name
    yield from torch._C._dispatch_get_all_op_names()


def classes() -> Iterator[str]:
    rooms = (torch.nn, torch.optim, torch.nn.parallel, torch.utils.data, torch.autograd, torch.amp)
    for room in (*rooms, torch.optim.lr_scheduler, torch.cuda):
        yield from (name for name in dir(room) if isinstance(getattr(room, name), type))


def files(root: Path, pattern: str) -> Iterator[Path]:
    skipped = {"site-packages", "dist-packages", "test", "tests", "testing", "_vendor"}
    for path in sorted(root.rglob(pattern)):
        if not skipped.intersection(path.relative_to(root).parts):
            yield path


def paths(root: Path, pattern: str) -> Iterator[str]:
    for path in files(root, pattern):
        yield from path.relative_to(root).with_suffix("").parts


def definitions(root: Path) -> Iterator[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for path in files(root, "*.py"):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
        except SyntaxError:
            continue
        yield from (node.name for node in ast.walk(tree) if isinstance(node, kinds))


def kernels(folder: Path | None) -> Iterator[str]:
    for path in sorted(folder.rglob("*.json.gz")) if folder else ():
        events = read_trace(path)
        for name in events.names:
            yield from PUBLIC_CODE.findall(name)
        yield from (events.name_of(row) for row in np.flatnonzero(events.of(CALLS)).tolist())


def words(texts: Iterable[str]) -> set[str]:
    found = {word.lower() for text in texts for word in split(text)}
    return {word for word in found if len(word) > 1}


def write(path: Path, found: set[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.fill(" ".join(sorted(found)), 100) + "\n", encoding="utf-8")
    print(path, len(found))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("site_packages", nargs="*", type=Path)
    parser.add_argument("--traces", type=Path)
    options = parser.parse_args()
    root = Path(torch.__file__).parent
    standard = Path(sysconfig.get_path("stdlib"))
    own = words((*operators(), *classes(), *paths(root, "*.py"), *kernels(options.traces)))
    own |= words(paths(root / "include/ATen", "*.*h"))
    public = words(
        (
            *dir(builtins),
            *dir(np),
            *paths(standard, "*.py"),
            *definitions(root),
            *definitions(standard),
        )
    )
    for place in (root.parent, *options.site_packages):
        for package in PACKAGES:
            public |= words(paths(place / package, "*.py"))
    write(WORDS / "torch.txt", own)
    write(WORDS / "public.txt", public - own)


if __name__ == "__main__":
    main()

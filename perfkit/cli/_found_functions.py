"""Functions by name, out of modules, files, files as git has them, and texts that stand for a file."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from perfkit.base.errors import PerfkitError
from perfkit.rewrites._own import MISTAKES

Function = Callable[..., Any]
_REVISION = re.compile(r"(?P<revision>[\w@][\w./~^@{}-]*):(?P<file>.+\.py):(?P<name>[\w.]+)")


def function(text: str) -> tuple[Function, ModuleType]:
    """The function of `module:function`, `file.py:function` or `HEAD:file.py:function`, and its module.

    Raises:
        PerfkitError: there is none, or its module cannot be imported.
    """
    home, _, path = text.rpartition(":")
    if not home or not path:
        raise PerfkitError(
            f"{text!r} names no function",
            "write module:function, file.py:function, or HEAD:file.py:function as git has it",
        )
    committed = _REVISION.fullmatch(text)
    if committed and not Path(home).exists():
        file = Path(committed["file"])
        source = _shown(committed["revision"], file)
        return function_in(module_of(file, source), committed["name"])
    if not home.endswith(".py"):
        return function_in(imported(home), path)
    if not Path(home).is_file():
        raise PerfkitError(f"there is no {home}", "name the file that defines the function")
    return function_in(module_of(Path(home)), path)


def function_in(module: ModuleType, path: str) -> tuple[Function, ModuleType]:
    """A function or method of a module by its qualified name.

    Raises:
        PerfkitError: there is none.
    """
    found: Any = module
    for part in path.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        there = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        home = getattr(module, "__file__", None) or module.__name__
        raise PerfkitError(
            f"{home} has no function {path}", f"there are: {', '.join(there[:20]) or 'none'}"
        )
    return found, module


def imported(name: str) -> ModuleType:
    """A module by name, from the working directory too.

    Raises:
        PerfkitError: it cannot be imported.
    """
    _import_from(Path.cwd())
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise PerfkitError(
            f"cannot import {name}: {error}", "run from the folder it lies in, or name its file"
        ) from error


def module_of(path: Path, source: bytes | None = None) -> ModuleType:
    """The module that a file makes, or would make with other contents, in the package it lies in.

    Raises:
        PerfkitError: its top level fails.
    """
    path = path.absolute()
    text = path.read_bytes() if source is None else source
    package, root = _package(path.parent)
    name = f"perfkit_compared_{path.stem}_{abs(hash((path, text)))}"
    name = f"{package}.{name}" if package else name
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__, module.__package__ = str(path), package
    _import_from(root)
    sys.modules[name] = module  # dataclasses look their module up while they are made
    try:
        if package:
            importlib.import_module(package)
        exec(compile(text, str(path), "exec", dont_inherit=True), vars(module))
    except (*MISTAKES, ImportError, OSError, SyntaxError) as error:
        del sys.modules[name]
        raise PerfkitError(
            f"{path} raises {type(error).__name__} when it is imported: {error}",
            "put the program's start under `if __name__ == '__main__':`",
        ) from error
    return module


def _package(folder: Path) -> tuple[str, Path]:
    """The dotted name of the package that a folder is, empty where it is none, and where that lies."""
    names: list[str] = []
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        names.insert(0, folder.name)
        folder = folder.parent
    return ".".join(names), folder


def _import_from(folder: Path) -> None:
    if os.fspath(folder) not in sys.path:
        sys.path.insert(0, os.fspath(folder))


def _shown(revision: str, file: Path) -> bytes:
    """A file as it is in a commit."""
    command = ["git", "show", f"{revision}:./{file.name}"]
    try:
        return subprocess.run(command, cwd=file.parent, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", b"") or str(error).encode()
        first = (said.decode("utf-8", "replace").strip().splitlines() or ["git failed"])[0]
        raise PerfkitError(
            f"git has no {file} at {revision}: {first}", "name a commit and a file that is in it"
        ) from error

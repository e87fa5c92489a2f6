"""Arguments of a call on disk: tensors in a safetensors file, their tree as JSON in its metadata.

Kept of a tensor: values, dtype, strides (where its memory does not overlap), device, whether it requires
a gradient, whether it is a parameter, and that two arguments are the same tensor. Not kept: that two
tensors are views of one memory (`Packed.notes` says so). Loading runs no code of the file: classes are
looked up among what is imported already; dataclasses, named tuples, enums and modules are made without
calling their `__init__`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from perfkit.base.errors import PerfkitError
from perfkit.base.files import replacing
from perfkit.rewrites._inputs_tree import Packed, Unpacker

SCHEMA = "perfkit.inputs/2"
OPENS = ("perfkit.inputs/1", SCHEMA)
"""What can be read. Since 2 the module whose method was called may be there."""
_KEY = "perfkit"


@dataclass(frozen=True)
class Captured:
    """One call as it was captured.

    Attributes:
        function: what was called, as the user named it.
        state: parameters and buffers of the module whose method it was, by name; empty for functions.
        module: that module, made again around these tensors; None for functions, and where it could not
            be kept.
        why_not: why the call cannot be replayed; empty where it can.
        notes: what of it was not kept.
    """

    path: Path
    function: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    state: dict[str, Tensor]
    why_not: tuple[str, ...]
    notes: tuple[str, ...]
    module: torch.nn.Module | None = None


def function_of(path: Path) -> str:
    """What was called, as the user named it; nothing else is read.

    Raises:
        PerfkitError: no such file, or another file.
    """
    try:
        with safe_open(path, "pt") as stored:
            return str(json.loads((stored.metadata() or {})[_KEY])["function"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise PerfkitError(
            f"{path} holds no captured inputs: {type(error).__name__}: {error}",
            "perfkit profile --capture-inputs NAME writes them to captured/ in the run's folder",
        ) from error


def save(path: Path, function: str, packed: Packed) -> None:
    """Write a packed call; a reader sees all of it or nothing.

    Raises:
        PerfkitError: the folder cannot be written.
    """
    document = {
        "schema": SCHEMA,
        "function": function,
        "tree": packed.tree,
        "why_not": packed.why_not,
        "notes": packed.notes,
    }
    with replacing(path) as temporary:
        try:
            save_file(packed.copied(), temporary, {_KEY: json.dumps(document)})
        except (SafetensorError, OSError) as error:
            raise PerfkitError(f"cannot write {path}: {error}", "is the disk full?") from error


def load(
    path: Path, namespaces: Sequence[ModuleType] = (), device: torch.device | None = None
) -> Captured:
    """Read a call back.

    Args:
        namespaces: where classes are looked for that no imported module of their name has, such as
            those of a script that ran as `__main__`.
        device: where tensors go that were on a device; the CPU by default. Others stay on the host.

    Raises:
        PerfkitError: no such file, another file, or a class that is not to be found.
    """
    try:
        with safe_open(path, "pt") as stored:
            document = json.loads((stored.metadata() or {})[_KEY])
            if document["schema"] not in OPENS:
                raise PerfkitError(
                    f"{path} has schema {document['schema']!r}", f"this perfkit reads {OPENS}"
                )
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        why_not = tuple(map(str, document["why_not"]))
        unpacker = Unpacker(tensors, _Classes(namespaces), device or torch.device("cpu"))
        tree = {} if why_not else unpacker.unpack(document["tree"])
        return Captured(
            path=path,
            function=str(document["function"]),
            args=tuple(tree.get("args", ())),
            kwargs=dict(tree.get("kwargs", {})),
            state=dict(tree.get("state", {})),
            why_not=why_not,
            notes=tuple(map(str, document["notes"])),
            module=tree.get("self"),
        )
    except OSError as error:
        raise PerfkitError(
            f"cannot read {path}: {error}", "name a file that --capture-inputs wrote"
        ) from error
    except (
        SafetensorError, KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError,
    ) as error:  # fmt: skip
        raise PerfkitError(
            f"{path} holds no captured inputs: {type(error).__name__}: {error}",
            "perfkit profile --capture-inputs NAME writes them to captured/ in the run's folder",
        ) from error


class _Classes:
    """Finds what a file names by `module:qualified.name`."""

    def __init__(self, namespaces: Sequence[ModuleType]) -> None:
        self._namespaces = namespaces

    def __call__(self, name: str) -> Any:
        module, _, path = name.partition(":")
        homes = [sys.modules.get(module), *self._namespaces, *_forms(module)]
        for home in homes:
            found: Any = home
            for part in path.split("."):
                found = getattr(found, part, None)
            if home is not None and found is not None:
                return found
        raise PerfkitError(
            f"the captured arguments need {path} of {module}, which is not imported",
            f"let the module of the compared functions import it, or add --import {module}",
        )


def _forms(module: str) -> list[ModuleType]:
    """Functions of torch say that they live in modules that are not always where they are found."""
    return [torch, torch.nn.functional] if module.startswith("torch") else []

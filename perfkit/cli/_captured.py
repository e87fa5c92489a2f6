"""The inputs of `perfkit verify --inputs`: from a file of tensors, or from Python that makes them."""

from __future__ import annotations

import inspect
import pickle
import re
import runpy
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfkit.base.errors import PerfkitError

if TYPE_CHECKING:  # torch is imported only when there is something to read
    from perfkit.rewrites._rewrite import Inputs, Rewrite


def captured(path: Path, declared: Rewrite) -> Inputs:
    """Inputs of the found code, which has been run on them once.

    Args:
        path: by torch.save, or by `profile --capture-inputs` of a function, of what `Rewrite.adopt` takes;
            or Python with a function `inputs` that gives the found code's arguments themselves.

    Raises:
        PerfkitError: it cannot be read, or holds what the found code cannot take.
    """
    from perfkit.rewrites import _own

    if path.suffix == ".py":
        inputs = _made_by(path, declared)
    else:
        held = _replayed(path, declared) if path.suffix == ".safetensors" else _read(path)
        inputs = _own.adopted(declared, held)
    _own.checked(declared, inputs)
    return inputs


def _replayed(path: Path, declared: Rewrite) -> Any:
    """The arguments of a captured call, by name where it named any."""
    from perfkit.rewrites import _inputs_file

    call = _inputs_file.load(path)
    if call.why_not:
        raise PerfkitError(
            f"{path} cannot be replayed: {'; '.join(call.why_not)}",
            "capture a function that takes tensors and plain values: --capture-inputs module:function",
        )
    if not call.kwargs:
        return call.args
    signature = inspect.signature(declared.adopt or declared.reference.run)
    try:
        return dict(signature.bind(*call.args, **call.kwargs).arguments)
    except TypeError as error:
        raise PerfkitError(
            f"{path} holds a call of {call.function}, whose arguments are not those of this rewrite: "
            f"{error}",
            f"it takes ({', '.join(signature.parameters)}); perfkit compare takes any two functions",
        ) from error


def _read(path: Path) -> Any:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        other = re.search(r"GLOBAL (\S+) was not an allowed", str(error))
        if other:
            raise PerfkitError(
                f"{path} holds {other[1]}, and reading it would run code from the file",
                "save tensors, numbers, text, tuples, lists, dictionaries; functions by their name",
            ) from error
        raise PerfkitError(
            f"cannot read {path}: {_why(error)}",
            "save the arguments: torch.save((a, b, ...), path), tensors and plain values",
        ) from error


def _why(error: BaseException) -> str:
    """What torch says, in its first line; not its advice on reading unsafely."""
    if isinstance(error, pickle.UnpicklingError):
        return "it was not written by torch.save"
    return (str(error).splitlines() or ["it is empty or cut"])[0]


def _made_by(path: Path, declared: Rewrite) -> Inputs:
    from perfkit.rewrites._own import MISTAKES

    wanted = list(inspect.signature(declared.reference.run).parameters)
    try:
        made = runpy.run_path(str(path))["inputs"]()
    except (*MISTAKES, ImportError, OSError, SyntaxError) as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        where = f"{path}:{frames[-1].lineno}" if frames else str(path)
        raise PerfkitError(
            f"{where} raises {type(error).__name__}: {error}",
            f"define `def inputs():` there, which returns ({', '.join(wanted)})",
        ) from error
    try:
        return inspect.signature(declared.reference.run).bind(*made).args
    except TypeError as error:
        raise PerfkitError(
            f"inputs() of {path} does not give the found code's arguments: {error}",
            f"return ({', '.join(wanted)})",
        ) from error

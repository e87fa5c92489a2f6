"""The inputs of `perfkit verify --inputs`: from a file of tensors, or from Python that makes them."""

from __future__ import annotations

import inspect
import pickle
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
        path: by torch.save, of what `Rewrite.adopt` takes; or Python with a function `inputs` that
            gives the found code's arguments themselves.

    Raises:
        PerfkitError: it cannot be read, or holds what the found code cannot take.
    """
    from perfkit.rewrites import _own

    inputs = (
        _made_by(path, declared) if path.suffix == ".py" else _own.adopted(declared, _read(path))
    )
    _own.checked(declared, inputs)
    return inputs


def _read(path: Path) -> Any:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise PerfkitError(
            f"{path} holds more than plain values: {_why(error)}",
            "save tensors, numbers, text, tuples, lists and dictionaries; functions by their name",
        ) from error
    except (OSError, EOFError, RuntimeError, ValueError) as error:
        raise PerfkitError(
            f"cannot read {path}: {_why(error)}",
            "save the reference's arguments: torch.save((a, b, ...), path), tensors and plain values",
        ) from error


def _why(error: BaseException) -> str:
    """The first line that says something; torch puts advice on how to load unsafely around it."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line.startswith("WeightsUnpickler error:")]
    text = (told or lines or [""])[0].removeprefix("WeightsUnpickler error: ")
    return text or "no tensors"


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

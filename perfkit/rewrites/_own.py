"""A user's own inputs: from what a file holds to what the found code and the forms take.

The parameters of `Rewrite.adopt`, or of the found code where there is none, are what is to be saved:
their names, in their order. What `torch.load` reads safely is plain: tensors, numbers, text, tuples,
lists and dictionaries; `adopt` makes of these whatever else the forms want.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from perfkit.base.errors import PerfkitError
from perfkit.rewrites import _tree
from perfkit.rewrites._parity import evaluate
from perfkit.rewrites._rewrite import Form, Inputs, Rewrite

MISTAKES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What tensors of a wrong shape, type or value make torch and Python raise."""

FUNCTIONS = (
    "relu",
    "silu",
    "gelu",
    "tanh",
    "sigmoid",
    "sqrt",
    "rsqrt",
    "exp",
    "log",
    "abs",
    "square",
)

T = TypeVar("T")


def adopted(rewrite: Rewrite, saved: Any) -> Inputs:
    """Inputs of the forms from the contents of a file.

    Args:
        saved: the arguments in order (tuple or list), or by name (dictionary).

    Raises:
        PerfkitError: too few or too many, unknown names, values of another type, or not from a file.
    """
    if rewrite.not_from_a_file:
        reason, _, instead = rewrite.not_from_a_file.partition("; ")
        raise PerfkitError(reason, instead)
    if not isinstance(saved, (tuple, list, dict)):
        raise PerfkitError(f"the file holds {_a(saved)}, not arguments", f"save {_wanted(rewrite)}")
    call = rewrite.adopt or rewrite.reference.run
    signature = inspect.signature(call)
    try:
        bound = signature.bind(**saved) if isinstance(saved, dict) else signature.bind(*saved)
    except TypeError as error:
        raise PerfkitError(
            f"the file holds {_contents(saved)}: {error}", f"save {_wanted(rewrite)}"
        ) from error
    _check_types(call, bound.arguments, rewrite)
    if rewrite.adopt is None:
        return bound.args
    try:
        return tuple(rewrite.adopt(*bound.args, **bound.kwargs))
    except MISTAKES as error:
        raise PerfkitError(
            f"these inputs cannot be used: {_told(error)}", f"save {_wanted(rewrite)}"
        ) from error


def checked(rewrite: Rewrite, inputs: Inputs) -> None:
    """Run the found code once as it is and once as the proof does, and ask for the chosen form.

    Raises:
        PerfkitError: the found code itself cannot take these inputs.
    """
    try:
        evaluate(rewrite.reference, _tree.fresh(inputs))
        evaluate(rewrite.reference, _tree.fresh(inputs, torch.float64))
    except MISTAKES as error:
        raise PerfkitError(
            f"the found code itself raises {_told(error)} on these inputs",
            f"it takes {_wanted(rewrite)}",
        ) from error
    try:
        rewrite.chosen(inputs)
    except MISTAKES as error:
        raise PerfkitError(
            f"no form can be chosen for these inputs: {_told(error)}",
            f"it takes {_wanted(rewrite)}",
        ) from error


def refusals(forms: Sequence[Form], inputs: Inputs) -> dict[str, str]:
    """What forms raise on inputs that the found code takes, by name of the form."""
    raised = {}
    for form in forms:
        try:
            evaluate(form, _tree.fresh(inputs))
        except (*MISTAKES, PerfkitError) as error:
            raised[form.name] = f"raises {_told(error)}, which the found code does not"
    return raised


def named_function(given: Any) -> Callable[[Tensor], Tensor]:
    """An element-by-element function of torch by its name, since a file cannot hold a function.

    Raises:
        PerfkitError: another name; the message lists those there are.
    """
    if callable(given):
        return typing.cast("Callable[[Tensor], Tensor]", given)
    if given not in FUNCTIONS:
        raise PerfkitError(f"there is no function {given!r} here", f"there are: {_list(FUNCTIONS)}")
    found: Callable[[Tensor], Tensor] = getattr(torch, given, None) or getattr(F, given)
    return found


def rebuilt(kind: type[T], given: Any) -> T:
    """A dataclass or named tuple from its fields, by name or in order; one that is there is kept.

    Raises:
        PerfkitError: other fields; the message lists those of `kind`.
    """
    if isinstance(given, kind):
        return given
    names = (
        [field.name for field in fields(kind)]
        if is_dataclass(kind)
        else list(getattr(kind, "_fields", ()))
    )
    try:
        return kind(**given) if isinstance(given, Mapping) else kind(*given)
    except TypeError as error:
        raise PerfkitError(
            f"{_contents(given)} make no {kind.__name__}", f"it has: {_list(names)}"
        ) from error


def _wanted(rewrite: Rewrite) -> str:
    """The parameters in words."""
    signature = inspect.signature(rewrite.adopt or rewrite.reference.run)
    names = [
        name if one.default is one.empty else f"[{name}]"
        for name, one in signature.parameters.items()
    ]
    if rewrite.saved_as:
        return rewrite.saved_as
    return f"({_list(names)}{',' if len(names) == 1 else ''}), in this order or as a dictionary"


def _check_types(call: Callable[..., Any], given: dict[str, Any], rewrite: Rewrite) -> None:
    hints = typing.get_type_hints(call)
    for name, value in given.items():
        if name in hints and not _is_a(value, hints[name]):
            raise PerfkitError(
                f"{name} is {_a(value)}, not {_kind(hints[name])}", f"save {_wanted(rewrite)}"
            )


def _is_a(value: Any, hint: Any) -> bool:
    """Whether a value may be what an annotation says; in doubt it may."""
    origin = typing.get_origin(hint)
    if origin is typing.Union or isinstance(hint, types.UnionType):
        return any(_is_a(value, one) for one in typing.get_args(hint))
    kind = origin or hint
    if kind is Any:
        return True
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind in (tuple, list, Sequence):
        return isinstance(value, (tuple, list))
    return not isinstance(kind, type) or isinstance(value, kind)


def _kind(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Union or isinstance(hint, types.UnionType):
        return " or ".join(_kind(one) for one in typing.get_args(hint))
    name = getattr(typing.get_origin(hint) or hint, "__name__", str(hint))
    return {"NoneType": "None", "Sequence": "list", "Mapping": "dict"}.get(name, name)


def _a(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _contents(saved: Any) -> str:
    if isinstance(saved, Mapping):
        return f"a dictionary of {_list(map(str, saved)) or 'nothing'}"
    count = len(saved)
    return f"{count} {'value' if count == 1 else 'values'}"


def _told(error: BaseException) -> str:
    text = str(error).strip()
    return type(error).__name__ + (f": {text.splitlines()[0]}" if text else "")


def _list(names: Any) -> str:
    return ", ".join(names)

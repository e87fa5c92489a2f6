"""Reading `name=value` texts into the fields of a frozen dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

T = TypeVar("T")

_BOOLS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def with_settings(config: T, settings: Mapping[str, Any]) -> T:
    """`config` with some fields changed; text is read as the field's own type.

    Lists are separated by commas; `none` unsets a field that may be None.

    Raises:
        ValueError: no such field, or not a value for it; the message says what is possible.
    """
    changes = {name: _read(config, name, value) for name, value in settings.items()}
    changed: T = replace(config, **changes)  # type: ignore[type-var]
    return changed


def _read(config: Any, name: str, value: Any) -> Any:
    kinds = {f.name: str(f.type) for f in fields(config)}
    if name not in kinds:
        raise ValueError(f"there is no setting {name!r}; there are: {', '.join(kinds)}")
    if not isinstance(value, str):
        return value
    kind = kinds[name]
    try:
        return _parsed(kind, value)
    except (KeyError, ValueError):
        raise ValueError(f"{name} takes a {kind}, not {value!r}") from None


def _parsed(kind: str, text: str) -> Any:
    if kind.endswith("| None"):
        return (
            None if text.lower() == "none" else _parsed(kind.removesuffix("| None").strip(), text)
        )
    if kind == "bool":
        return _BOOLS[text.lower()]
    if kind.startswith("tuple"):
        parts = [part for part in text.split(",") if part]
        return tuple(map(int, parts)) if "int" in kind else tuple(parts)
    if kind in ("int", "float"):
        return (int if kind == "int" else float)(text)
    if kind == "str":
        return text
    raise ValueError(f"a {kind} cannot be given as text")

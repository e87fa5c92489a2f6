"""Mending a piece of JSON text that a strict parser refuses, and events with odd fields.

Only damaged places come here: a sound trace never does.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from perfkit.io._raw import RawEvent, decode_event
from perfkit.io._repairs import Repair, Repairs

_CONTROL = bytes.maketrans(bytes(range(32)), b" " * 32)
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NUMBERS = re.compile(rb"(?<=[:,\[])(\s*)(?:[-+]?(?:nan|inf|infinity)|n/a)(?=\s*[,}\]])", re.I)
_HEX = rb"[0-9a-fA-F]"
_ESCAPES = re.compile(
    rb"(?P<good>\\u[dD][89abAB]" + _HEX + rb"{2}\\u[dD][c-fC-F]" + _HEX + rb"{2}"
    rb"|\\u(?![dD][89a-fA-F])" + _HEX + rb'{4}|\\["\\/bfnrt])'
    rb"|(?P<lone>\\u[dD]" + _HEX + rb"{3})|\\"
)
_NAME = re.compile(
    rb'("name"\s*:\s*")((?:(?!"\s*:\s*["\d\[{-])[^\n]){0,4000}?)("\s*,\s*"(?:ph|cat|pid|tid|ts|dur|id|args|s|bp)"\s*:|"\s*\})'
)
_BARE_QUOTE = re.compile(rb'(?<!\\)"')


def mend_text(text: bytes, repairs: Repairs) -> bytes:
    """The text with control characters, bad escapes, NaN and N/A, and bare quotes mended."""
    text = _mend_names(text, repairs)  # first: a name ends with its line
    repairs.add(Repair.CONTROL, len(_CONTROLS.findall(text)))
    text = text.translate(_CONTROL)
    text, numbers = _NUMBERS.subn(rb"\1null", text)
    repairs.add(Repair.NOT_A_NUMBER, numbers)
    if b"\\" in text:
        text = _mend_escapes(text, repairs)
    return text


def _mend_escapes(text: bytes, repairs: Repairs) -> bytes:
    mended = 0

    def replacement(match: re.Match[bytes]) -> bytes:
        nonlocal mended
        if match["good"]:
            return match[0]
        mended += 1
        return b"\\ufffd" if match["lone"] else b"\\\\"

    text = _ESCAPES.sub(replacement, text)
    repairs.add(Repair.ESCAPE, mended)
    return text


def _mend_names(text: bytes, repairs: Repairs) -> bytes:
    mended = 0

    def replacement(match: re.Match[bytes]) -> bytes:
        nonlocal mended
        name, count = _BARE_QUOTE.subn(rb'\\"', match[2])
        mended += bool(count)
        return match[1] + name + match[3]

    text = _NAME.sub(replacement, text)
    repairs.add(Repair.QUOTE, mended)
    return text


def mend_event(text: bytes | memoryview, repairs: Repairs) -> RawEvent | None:
    """One event whose JSON is sound but whose fields are not as they should be; None if no object.

    Raises:
        msgspec.DecodeError, RecursionError: the JSON is not sound after all.
    """
    try:
        return decode_event(text)
    except msgspec.ValidationError:
        pass
    fields = msgspec.json.decode(text)
    if not isinstance(fields, dict):
        repairs.add(Repair.NOT_OBJECT)
        return None
    repairs.add(Repair.ODD_FIELDS)
    args = fields.get("args")
    return RawEvent(
        ph=_label(fields.get("ph")),
        cat=_label(fields.get("cat")),
        name=_label(fields.get("name")),
        pid=_id(fields.get("pid")),
        tid=_id(fields.get("tid")),
        ts=_number(fields.get("ts")),
        dur=_number(fields.get("dur")),
        id=_id(fields.get("id")),
        bp=_optional(fields.get("bp")),
        s=_optional(fields.get("s")),
        args=msgspec.Raw(msgspec.json.encode(args if isinstance(args, dict) else {})),
    )


def _label(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _optional(value: Any) -> str | None:
    return None if value is None else _label(value)


def _id(value: Any) -> int | str | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, (int, str)) or value is None else str(value)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None

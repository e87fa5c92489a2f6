"""Text that strangers control, made visible: no control bytes, no bidirectional tricks, no endless names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

LIMIT = 400
"""Characters of one text that a page shows; the diagnosis keeps the rest."""

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def visible(text: str, limit: int = LIMIT) -> str:
    """`text` on one line with what cannot be seen written as an escape, shortened to `limit`."""
    shown = text[: limit + 1]
    if not (shown.isascii() and shown.isprintable()):
        shown = "".join(map(_character, shown))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _character(char: str) -> str:
    if char == "\t":
        return "    "
    if char in "\n\r":
        return " "
    if unicodedata.category(char) in _INVISIBLE:
        code = ord(char)
        return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    return char


def short_names(files: Iterable[str]) -> dict[str, str]:
    """Each file by the shortest tail of its path that no other file shares."""
    files = set(files)
    parts = {file: file.replace("\\", "/").split("/") for file in files}
    names = {}
    for file in files:
        for length in range(1, len(parts[file]) + 1):
            tail = parts[file][-length:]
            if not any(other != file and parts[other][-length:] == tail for other in files):
                break
        names[file] = "/".join(tail)
    return names

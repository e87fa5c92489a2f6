"""The bytes of a trace as clean UTF-8: compression, encodings and things that are no traces."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

from isal import isal_zlib

from perfkit.base.errors import PerfkitError
from perfkit.io._repairs import Repair, Repairs

_Damage: Any = isal_zlib.error  # its stub calls the class an instance
_GZIP = b"\x1f\x8b"
_BLOCK = 1 << 16  # small, so that a damaged stream loses little of what came before the damage


def read_text(path: Path, repairs: Repairs) -> bytes:
    """The decompressed text of a trace file as valid UTF-8.

    Raises:
        PerfkitError: unreadable, empty, or evidently something else (a web page).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PerfkitError(
            f"cannot read the trace {path}: {error.strerror}", "give the path of a trace file"
        ) from error
    if data.startswith(_GZIP):
        data = _decompress(data, repairs)
    elif path.suffix == ".gz" and data:
        repairs.add(Repair.NOT_GZIP)
    text = _utf8(data, repairs)
    start = text[:512].lstrip().lower()
    if not start:
        raise PerfkitError(f"{path} is empty", "record it again, or check how it was copied")
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise PerfkitError(
            f"{path} is a web page, not a trace", "download the raw file instead of its page"
        )
    return text


def _decompress(data: bytes, repairs: Repairs) -> bytes:
    """Every gzip member after another; what came before damage is kept."""
    parts: list[bytes] = []
    rest = data
    while rest.startswith(_GZIP):
        try:
            rest = _member(rest, parts, repairs)
        except _Damage:
            repairs.add(Repair.GZIP_DAMAGED)
            return b"".join(parts)
    if rest.strip(b"\0"):
        repairs.add(Repair.GZIP_TRAILING)
    return b"".join(parts)


def _member(data: bytes, parts: list[bytes], repairs: Repairs) -> bytes:
    """Append one member's content to `parts`; return what follows it."""
    stream = isal_zlib.decompressobj(wbits=31)
    for offset in range(0, len(data), _BLOCK):
        block = data[offset : offset + _BLOCK]
        while block and not stream.eof:
            parts.append(stream.decompress(block, _BLOCK))
            block = stream.unconsumed_tail
        if stream.eof:
            return bytes(stream.unused_data) + data[offset + _BLOCK :]
    parts.append(stream.flush())
    if not stream.eof:
        repairs.add(Repair.GZIP_CUT)
    return b""


def _utf8(data: bytes, repairs: Repairs) -> bytes:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        repairs.add(Repair.UTF16)
        return data.decode("utf-16", errors="replace").encode()
    if data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
    if data.isascii():
        return data
    try:
        data.decode()
    except UnicodeDecodeError:
        text = data.decode(errors="replace")
        repairs.add(Repair.ENCODING, text.count("\ufffd"))
        return text.encode()
    return data

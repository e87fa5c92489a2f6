"""The text of a trace as blocks of clean UTF-8: where it lies, compression, encodings, no-traces.

Knows one block at a time, never the whole file.
"""

from __future__ import annotations

import codecs
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

from isal import isal_zlib

from perfkit.base.errors import PerfkitError
from perfkit.io._repairs import Repair, Repairs

Progress = Callable[[int, "int | None"], None]
"""Called with the bytes read so far and the file's size (None where a server does not tell it)."""

_Damage: Any = isal_zlib.error  # its stub calls the class an instance
_GZIP = b"\x1f\x8b"
_INPUT = 1 << 16
_OUTPUT = 1 << 16  # small, so that a damaged stream loses little of what came before the damage
_BLOCK = 1 << 20
_REMOTE_ERRORS = (
    ("aiohttp", "ClientError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("azure.core.exceptions", "AzureError"),
)
_MARKUP = (b"<!doctype", b"<html", b"<?xml")


def is_remote(source: Path | str) -> bool:
    """True for URLs that fsspec opens: `s3://...`, `https://...`, `memory://...`."""
    return isinstance(source, str) and "://" in source


def opened(source: Path | str) -> AbstractContextManager[BinaryIO]:
    """The bytes of a local file or of an fsspec URL.

    Raises:
        PerfkitError: it cannot be opened.
    """
    try:
        if is_remote(source):
            import fsspec  # here: a local trace is read without it

            found: AbstractContextManager[BinaryIO] = fsspec.open(source, "rb").open()
            return found
        return Path(source).open("rb")
    except ImportError as error:
        raise PerfkitError(
            f"cannot read the trace {source}", f"install what is missing: {error}"
        ) from error
    except _failures() as error:
        raise _unreadable(source, error) from error


def _failures() -> tuple[type[Exception], ...]:
    """What opening and reading may raise; remote storage has errors of its own."""
    found: list[type[Exception]] = [OSError, ValueError]
    for module, name in _REMOTE_ERRORS:
        error = getattr(sys.modules.get(module), name, None)
        if error is not None:
            found.append(error)
    return tuple(found)


def blocks(
    source: Path | str, repairs: Repairs, progress: Progress | None = None
) -> Iterator[bytes]:
    """The decompressed text of a trace as valid UTF-8, about a megabyte at a time, never empty ones.

    Raises:
        PerfkitError: unreadable, empty, or evidently something else (a web page).
    """
    raw = _read(source, progress)
    first = next(raw, b"")
    raw = _before(first, raw)
    if first.startswith(_GZIP):
        raw = _gathered(_inflated(raw, repairs))
    elif str(source).endswith(".gz") and first:
        repairs.add(Repair.NOT_GZIP)
    text = _utf8(raw, repairs)
    head = b""
    while len(head) < len(_MARKUP[0]):
        block = next(text, None)
        if block is None:
            break
        head = (head + block).lstrip()
    start = head[:16].lower()
    if not start:
        raise PerfkitError(f"{source} is empty", "record it again, or check how it was copied")
    if start.startswith(_MARKUP):
        raise PerfkitError(
            f"{source} is a web page, not a trace", "download the raw file instead of its page"
        )
    yield head
    yield from text


def _read(source: Path | str, progress: Progress | None) -> Iterator[bytes]:
    with opened(source) as file:
        try:
            size = _size(file)
            done = 0
            while data := file.read(_BLOCK):
                done += len(data)
                if progress is not None:
                    progress(done, size)
                yield data
        except _failures() as error:
            raise _unreadable(source, error) from error


def _size(file: Any) -> int | None:
    size = getattr(file, "size", None)
    if size is None and file.seekable():
        size = file.seek(0, 2)
        file.seek(0)
    return size if isinstance(size, int) else None


def _unreadable(source: Path | str, error: Exception) -> PerfkitError:
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return PerfkitError(f"cannot read the trace {source}: {why}", "give the path of a trace file")


def _before(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Small pieces joined to blocks."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _BLOCK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _inflated(raw: Iterator[bytes], repairs: Repairs) -> Iterator[bytes]:
    """Every gzip member after another; what came before damage is kept."""
    stream: Any = isal_zlib.decompressobj(wbits=31)
    for data in raw:
        for at in range(0, len(data), _INPUT):
            piece = data[at : at + _INPUT]
            while piece:
                if stream is None:  # behind a member: another one, padding, or something else
                    if not piece.startswith(_GZIP[: len(piece)]):
                        if piece.strip(b"\0"):
                            repairs.add(Repair.GZIP_TRAILING)
                            return
                        break
                    stream = isal_zlib.decompressobj(wbits=31)
                try:
                    yield stream.decompress(piece, _OUTPUT)
                except _Damage:
                    repairs.add(Repair.GZIP_DAMAGED)
                    return
                piece = bytes(stream.unconsumed_tail)
                if stream.eof:
                    piece, stream = bytes(stream.unused_data), None
    if stream is not None:
        yield from _flushed(stream, repairs)


def _flushed(stream: Any, repairs: Repairs) -> Iterator[bytes]:
    try:
        yield stream.flush()
    except _Damage:
        repairs.add(Repair.GZIP_DAMAGED)
        return
    if not stream.eof:
        repairs.add(Repair.GZIP_CUT)


def _utf8(raw: Iterator[bytes], repairs: Repairs) -> Iterator[bytes]:
    """The same text as valid UTF-8, without a byte order mark."""
    first = b""
    while len(first) < len(codecs.BOM_UTF8):
        block = next(raw, None)
        if block is None:
            break
        first += block
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        repairs.add(Repair.UTF16)
        yield from _from_utf16(_before(first, raw))
        return
    if b"\0" in first[:2] and first[:2].strip(b"\0") in (b"{", b"["):
        repairs.add(Repair.UTF16)  # without a byte order mark
        mark = codecs.BOM_UTF16_BE if first.startswith(b"\0") else codecs.BOM_UTF16_LE
        yield from _from_utf16(_before(mark + first, raw))
        return
    rest = b""
    for block in _before(first.removeprefix(codecs.BOM_UTF8), raw):
        data, rest = (rest + block, b"") if rest else (block, b"")
        if not data.isascii():
            data, rest = _valid(data, False, repairs)
        if data:
            yield data
    if rest:
        yield _valid(rest, True, repairs)[0]


def _valid(data: bytes, final: bool, repairs: Repairs) -> tuple[bytes, bytes]:
    """The valid beginning of `data`, undecodable places replaced, and a character cut at its end."""
    try:
        _, used = codecs.utf_8_decode(data, "strict", final)
        return data[:used], data[used:]
    except UnicodeDecodeError:
        text, used = codecs.utf_8_decode(data, "replace", final)
    sound = data[:used].count("\ufffd".encode())
    repairs.add(Repair.ENCODING, text.count("\ufffd") - sound)
    return text.encode(), data[used:]


def _from_utf16(raw: Iterator[bytes]) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")("replace")
    for block in raw:
        text = decoder.decode(block).encode(errors="replace")
        if text:
            yield text
    yield decoder.decode(b"", final=True).encode(errors="replace")

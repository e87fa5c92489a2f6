"""Lines out of byte streams in bounded memory, and the users among them who are asked about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from .rows import Reading, as_number


class Bytes(Protocol):
    """What is read from: a file opened for bytes, or anything that reads like one."""

    def read(self, size: int, /) -> bytes:
        """The next bytes; none at the end."""


Source = Callable[[], AbstractContextManager[Bytes]]
"""Opens the rows anew, at the beginning."""

BLOCK = 1 << 20
LONGEST = 1 << 20
"""A longer line is skipped: no row of the format comes near."""


def blocks(
    source: Source, reading: Reading, block: int = BLOCK
) -> Iterator[tuple[int, list[bytes]]]:
    """(number of the first line, lines without their ends), about `block` bytes at a time."""
    carry, number, skipping = b"", 1, False
    with source() as stream:
        while chunk := stream.read(block):
            end = chunk.rfind(b"\n") + 1
            if not end:
                carry += b"" if skipping else chunk
                if len(carry) > LONGEST:
                    reading.tell("line of more than a megabyte skipped", number)
                    carry, skipping = b"", True
                continue
            lines = (carry + chunk[:end]).replace(b"\r\n", b"\n").split(b"\n")[:-1]
            if skipping:
                lines[0], skipping = b"", False
            yield number, lines
            number += len(lines)
            carry = chunk[end:]
    if carry:
        reading.tell("last line without an end", number)
        yield number, [carry]


def asked_users(source: Source) -> set[bytes]:
    """Users of rows that may be ones to predict, as plain decimal text.

    Looks at the first five fields alone. Broken rows can add a user whom parsing then drops; no
    user with a row to predict is missed.
    """
    found: set[bytes] = set()
    for _, lines in blocks(source, Reading()):
        for line in lines:
            fields = line.split(b",", 5)
            if len(fields) < 5 or b":" in fields[4] or not fields[4].strip():
                user = as_number(fields[1]) if len(fields) > 1 else None
                if user is not None:
                    found.add(b"%d" % user)
    return found


def lines_of(
    source: Source, users: set[bytes], reading: Reading
) -> Iterator[list[tuple[int, bytes]]]:
    """Numbered lines of some users, block by block; nothing of other lines is parsed."""
    for first, lines in blocks(source, reading):
        kept = []
        for number, line in enumerate(lines, first):
            fields = line.split(b",", 2)
            if len(fields) < 3:
                if line.strip():
                    reading.tell("row without its numbers skipped", number)
            elif fields[1] in users or _written_oddly(fields[1], users):
                kept.append((number, line))
            else:
                reading.of_other_users += 1
        reading.lines += len(lines)
        yield kept


def _written_oddly(text: bytes, users: set[bytes]) -> bool:
    """True for a user of the set written with zeros or blanks, and for what is no number at all."""
    if text.isdigit() and not text.startswith(b"0"):
        return False
    user = as_number(text)
    return user is None or b"%d" % user in users

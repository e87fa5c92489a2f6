"""The row format `logid,userid,adid[,clk],timestamp,sign:slot,...`, read strictly and mended.

A row with a click (0 or 1) is history; one without is asked for. Which it is shows in the fifth
field: a colon there means that the pairs begin with it. What does not fit is mended where the rest
of the row keeps its meaning (a bad pair, a stray comma, line ends of other systems) and skipped
where it does not (an identifier that is no number); both are counted by reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
ASKED_FOR = -1
"""Stands where a click would, in rows that are to be predicted."""

_CLEAN = re.compile(rb"\d{1,18},\d{1,18},\d{1,18},(?:([01]),)?\d{1,18}(?:,-?\d{1,18}:\d{1,3})+")
_LARGEST = 2**63 - 1
_EXAMPLES = 8


@dataclass
class Reading:
    """What was met on the way. `problems` counts reasons; `examples` are (line, reason)."""

    lines: int = 0
    of_other_users: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[int, str]] = field(default_factory=list)

    def tell(self, reason: str, line: int, times: int = 1) -> None:
        """Count a problem, and keep its place if it is one of the first."""
        self.problems[reason] += times
        if len(self.examples) < _EXAMPLES:
            self.examples.append((line, reason))


@dataclass(frozen=True)
class Rows:
    """Parsed rows as columns; pairs of all rows one after the other, `row` counted from 0.

    Attributes:
        line: line number in the file, from 1.
        click: 0 or 1, `ASKED_FOR` in rows to predict.
        row, slot, sign: of each pair.
    """

    line: Ints
    logid: Ints
    user: Ints
    timestamp: Ints
    click: Ints
    row: Ints
    slot: Ints
    sign: Ints


def parse(lines: Iterable[tuple[int, bytes]], slots: int, reading: Reading) -> Rows:
    """Parse numbered lines; what had to be mended or skipped is told to `reading`."""
    clean: list[tuple[int, bytes, bool]] = []
    odd: list[tuple[int, tuple[int, ...], list[tuple[int, int]]]] = []
    for number, line in lines:
        match = _CLEAN.fullmatch(line)
        if match:
            clean.append((number, line, match.start(1) >= 0))
            continue
        mended = mend(line, slots, number, reading)
        if mended:
            odd.append((number, *mended))
    return in_order([_parse_clean(clean, slots, reading), _columns(odd)])


def _parse_clean(lines: list[tuple[int, bytes, bool]], slots: int, reading: Reading) -> Rows:
    """All numbers of well-formed lines in one call."""
    if not lines:
        return _columns([])
    text = b",".join(line for _, line, _ in lines).replace(b":", b",")
    numbers = np.fromstring(text, dtype=np.int64, sep=",")
    clicked = np.array([click for _, _, click in lines])
    pairs = np.array([line.count(b":") for _, line, _ in lines])
    header = np.where(clicked, 5, 4)
    ends = np.cumsum(header + 2 * pairs)
    start = ends - header - 2 * pairs
    before = np.cumsum(pairs) - pairs
    places = np.repeat(start + header - 2 * before, pairs) + 2 * np.arange(pairs.sum())
    slot = numbers[places + 1]
    known = (slot >= 1) & (slot <= slots)
    line = np.array([number for number, _, _ in lines])
    row = np.repeat(np.arange(len(lines)), pairs)
    for bad in np.unique(row[~known]):
        reading.tell(
            "pair of an unknown slot dropped", int(line[bad]), int((row[~known] == bad).sum())
        )
    return Rows(
        line=line,
        logid=numbers[start],
        user=numbers[start + 1],
        timestamp=numbers[start + header - 1],
        click=np.where(clicked, numbers[start + 3], ASKED_FOR),
        row=row[known],
        slot=slot[known],
        sign=numbers[places][known],
    )


def mend(
    line: bytes, slots: int, number: int, reading: Reading
) -> tuple[tuple[int, ...], list[tuple[int, int]]] | None:
    """(logid, user, timestamp, click) and (sign, slot) pairs of any line; None if it is skipped.

    The tolerant reading that defines the format; slow, and only for lines that are not clean.
    """
    line = line.removeprefix(b"\xef\xbb\xbf").strip()
    if not line:
        return None
    fields = line.rstrip(b", ").split(b",")
    header = 5 if len(fields) > 4 and b":" not in fields[4] else 4
    values = [as_number(text) for text in fields[:header]]
    if len(values) < header or None in values:
        reading.tell("row without its numbers skipped", number)
        return None
    click = values[3] if header == 5 else ASKED_FOR
    if header == 5 and click not in (0, 1):
        reading.tell("row whose click is neither 0 nor 1 skipped", number)
        return None
    pairs = [as_pair(text, slots) for text in fields[header:]]
    if None in pairs:
        reading.tell("pair that is no sign:slot dropped", number, pairs.count(None))
    return (values[0], values[1], values[header - 1], click), [p for p in pairs if p]  # type: ignore[return-value]


def as_number(text: bytes) -> int | None:
    """A whole number of 64 bits, not negative; None if it is none."""
    text = text.strip()
    return int(text) if text.isdigit() and int(text) <= _LARGEST else None


def as_pair(text: bytes, slots: int) -> tuple[int, int] | None:
    """`sign:slot` with a slot that exists; signs may be negative."""
    sign, colon, slot = text.partition(b":")
    bare = sign.strip().removeprefix(b"-")
    where, size = as_number(slot), as_number(bare)
    if not colon or where is None or size is None or not 1 <= where <= slots:
        return None
    return (-size if sign.strip().startswith(b"-") else size), where


def _columns(odd: list[tuple[int, tuple[int, ...], list[tuple[int, int]]]]) -> Rows:
    heads = np.array([(number, *head) for number, head, _ in odd], dtype=np.int64).reshape(-1, 5)
    pairs = [(row, slot, sign) for row, one in enumerate(odd) for sign, slot in one[2]]
    row, slot, sign = np.array(pairs, dtype=np.int64).reshape(-1, 3).T
    line, logid, user, timestamp, click = heads.T
    return Rows(line, logid, user, timestamp, click, row, slot, sign)


def in_order(parts: list[Rows]) -> Rows:
    """Parts put together, by line."""
    parts = [part for part in parts if part.line.size] or parts[:1]
    if len(parts) == 1:
        return parts[0]
    joined = joined_rows(parts)
    return taken(joined, np.argsort(joined.line, kind="stable"))


def joined_rows(parts: list[Rows]) -> Rows:
    """Parts one after the other; each column is allocated once."""
    first_row = np.cumsum([0, *(part.line.size for part in parts)])
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("line", "logid", "user", "timestamp", "click", "slot", "sign")
    }
    row = np.concatenate([part.row + first for part, first in zip(parts, first_row, strict=False)])
    return Rows(row=row, **columns)


def taken(rows: Rows, order: Ints) -> Rows:
    """Some rows, in an order; their pairs come along, each row's in the order it has them."""
    place = np.full(rows.line.size, -1, dtype=np.int64)
    place[order] = np.arange(order.size)
    new_row = place[rows.row]
    pairs = np.argsort(new_row, kind="stable")
    pairs = pairs[np.count_nonzero(new_row < 0) :]
    head = {name: getattr(rows, name)[order] for name in ("line", "logid", "user", "timestamp")}
    return Rows(
        **head,
        click=rows.click[order],
        row=new_row[pairs],
        slot=rows.slot[pairs],
        sign=rows.sign[pairs],
    )

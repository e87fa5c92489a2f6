"""Histories of the users who are asked about, read without parsing anybody else's.

What it replaces
    A reader that splits every line of a history file into Python objects, one dictionary per row,
    groups them by user, and only then drops the users without a row to predict: about 87 % of them
    in the public figures of the contest behind the CTR workload.

Why it is faster
    Whether a row is asked for shows in its fifth field and whose it is in its second. A first pass
    over raw bytes collects the users, a second parses their lines and no others, all numbers of a
    block in one call. Rows end up as columns: a row of some 30 ids takes 0.4 kB instead of the 3 kB
    of its dictionary, and memory grows with the users that matter, not with the file.

When it wins, and when not
    Wherever a minority of users is predicted. If the users are known from elsewhere (a small file
    of requests), pass them and the first pass goes as well. With every user asked about, what
    remains is the parsing in blocks (the form `late filter`).

Exact or approximate
    Exact: the same rows in the same order, those mended or skipped included.

Hazards
    A user must be kept by any row to predict, one that needs mending too: the first pass errs
    towards keeping, the parsing decides. Text compared as text misses users written with leading
    zeros. A reader that filters while it parses in file order loses the history that precedes the
    first row to predict (a trap that the proof refuses).

Your own inputs
    `source`: the path of the rows as text, or the rows themselves as bytes. `slots`: how many slots
    there are. Each row is `logid,user,advert,click,timestamp,id:slot,id:slot,...`, and a row to
    predict has no click.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from perfkit.base.errors import PerfkitError
from perfkit.rewrites._rewrite import Case, Form, Goal, Inputs, Rewrite

from .rows import ASKED_FOR, Reading, Rows, joined_rows, mend, parse, taken
from .stream import Source, asked_users, blocks, lines_of


@dataclass(frozen=True)
class History:
    """Rows as columns, by user and then time.

    Attributes:
        user: int64 [U], ascending.
        user_offsets: int64 [U + 1]; the rows of user u are user_offsets[u] to user_offsets[u + 1].
        logid, timestamp: int64 [R].
        click: int8 [R]; 0 or 1, -1 in rows to predict.
        counts: int32 [R, slots], ids of each slot; slot s stands in column s - 1.
        values: int64 [N], the ids, by row and then slot.
    """

    user: Tensor
    user_offsets: Tensor
    logid: Tensor
    timestamp: Tensor
    click: Tensor
    counts: Tensor
    values: Tensor


def filtered_history(
    source: Source, slots: int, users: set[bytes] | None = None
) -> tuple[History, Reading]:
    """The rows of all users with a row to predict.

    Args:
        source: opens the rows for reading bytes, from the beginning; called twice.
        slots: pairs of slots beyond 1 to `slots` are dropped.
        users: who is asked about, as decimal text, where that is known; then `source` is called once.
    """
    reading = Reading()
    asked = asked_users(source) if users is None else users
    parts = [parse(lines, slots, reading) for lines in lines_of(source, asked, reading)]
    return as_history(parts, slots), reading


def late_filter(source: Source, slots: int) -> tuple[History, Reading]:
    """Every row parsed in blocks, users dropped at the end."""
    reading = Reading()
    parts = [
        parse(enumerate(lines, first), slots, reading) for first, lines in blocks(source, reading)
    ]
    return as_history(parts, slots), reading


def as_history(parts: list[Rows], slots: int) -> History:
    """Parsed rows grouped by user; users without a row to predict go."""
    rows = joined_rows(parts or [parse([], slots, Reading())])
    asked = np.unique(rows.user[rows.click == ASKED_FOR])
    order = np.lexsort((rows.line, rows.timestamp, rows.user))
    rows = taken(rows, order[np.isin(rows.user[order], asked)])
    cell = rows.row * slots + rows.slot - 1
    counts = np.bincount(cell, minlength=rows.line.size * slots).astype(np.int32)
    ends = np.searchsorted(rows.user, asked, side="right")
    return History(
        user=torch.from_numpy(asked),
        user_offsets=torch.from_numpy(np.concatenate(([0], ends)).astype(np.int64)),
        logid=torch.from_numpy(rows.logid),
        timestamp=torch.from_numpy(rows.timestamp),
        click=torch.from_numpy(rows.click.astype(np.int8)),
        counts=torch.from_numpy(counts.reshape(-1, slots)),
        values=torch.from_numpy(rows.sign[np.argsort(cell, kind="stable")]),
    )


ParsedRow = tuple[int, int, int, dict[int, list[int]]]
"""(timestamp, logid, click, ids by slot)."""


def found(source: Source, slots: int) -> History:
    """As met in programs: objects for all rows of all users, then a look at who is needed."""
    users: dict[int, list[ParsedRow]] = {}
    for line in (line for _, lines in blocks(source, Reading()) for line in lines):
        try:
            user, row = _split(line.decode().strip().split(","), slots)
        except (ValueError, IndexError):
            mended = mend(line, slots, 0, Reading())
            if mended is None:
                continue
            (logid, user, timestamp, click), pairs = mended
            row = timestamp, logid, click, _by_slot(pairs)
        users.setdefault(user, []).append(row)
    kept = {user: rows for user, rows in users.items() if any(row[2] == ASKED_FOR for row in rows)}
    return _listed(kept, slots)


def _split(fields: list[str], slots: int) -> tuple[int, ParsedRow]:
    header = 4 if ":" in fields[4] else 5
    pairs = [(int(sign), int(slot)) for sign, slot in (f.split(":") for f in fields[header:])]
    click = int(fields[3]) if header == 5 else ASKED_FOR
    if click not in (0, 1, ASKED_FOR) or any(not 1 <= slot <= slots for _, slot in pairs):
        raise ValueError
    logid, user, _advert = map(int, fields[:3])
    return user, (int(fields[header - 1]), logid, click, _by_slot(pairs))


def _by_slot(pairs: list[tuple[int, int]]) -> dict[int, list[int]]:
    signs: dict[int, list[int]] = {}
    for sign, slot in pairs:
        signs.setdefault(slot, []).append(sign)
    return signs


def _listed(users: dict[int, list[ParsedRow]], slots: int) -> History:
    for rows in users.values():
        rows.sort(key=lambda row: row[0])
    rows = [row for user in sorted(users) for row in users[user]]
    offsets = [0]
    for user in sorted(users):
        offsets.append(offsets[-1] + len(users[user]))
    counts = [[len(row[3].get(slot, ())) for slot in range(1, slots + 1)] for row in rows]
    values = [sign for row in rows for slot in sorted(row[3]) for sign in row[3][slot]]
    return History(
        user=torch.tensor(sorted(users), dtype=torch.int64),
        user_offsets=torch.tensor(offsets),
        logid=torch.tensor([row[1] for row in rows], dtype=torch.int64),
        timestamp=torch.tensor([row[0] for row in rows], dtype=torch.int64),
        click=torch.tensor([row[2] for row in rows], dtype=torch.int8),
        counts=torch.tensor(counts, dtype=torch.int32).reshape(-1, slots),
        values=torch.tensor(values, dtype=torch.int64),
    )


def _history(source: Source, slots: int) -> History:
    return filtered_history(source, slots)[0]


def _late(source: Source, slots: int) -> History:
    return late_filter(source, slots)[0]


def _in_file_order(source: Source, slots: int) -> History:
    reading = Reading()
    seen: set[int] = set()
    kept = []
    for first, lines in blocks(source, reading):
        for number, line in enumerate(lines, first):
            row = mend(line, slots, number, reading)
            if row and row[0][3] == ASKED_FOR:
                seen.add(row[0][1])
            if row and row[0][1] in seen:
                kept.append((number, line))
    return as_history([parse(kept, slots, reading)], slots)


def _adopted(source: str | bytes, slots: int) -> Inputs:
    """Inputs as a file holds them: the path of the rows, or the rows themselves."""
    if isinstance(source, bytes):
        return partial(io.BytesIO, source), slots
    if not Path(source).is_file():
        raise PerfkitError(f"there is no file {source}", "save the path as this machine knows it")
    return partial(open, source, "rb"), slots


def drawn_text(users: int, rows: int, slots: int, seed: int, asked: float = 0.13) -> bytes:
    """Rows of users in time order, some 30 ids each; the last rows of some users are to predict."""
    rng = np.random.default_rng(seed)
    lines = []
    for user in range(users):
        last = rows - 2 if rng.random() < asked else rows
        ids = rng.integers(0, 5_000_000, size=(rows, slots + 2))
        for row in range(rows):
            pairs = ",".join(f"{ids[row, s]}:{min(s, slots - 1) + 1}" for s in range(slots + 2))
            click = "" if row >= last else f"{row % 2},"
            lines.append(f"{user * 1000 + row},{user},7,{click}{1_700_000_000 + row},{pairs}")
    return "\n".join([*lines, ""]).encode()


def _drawn(name: str, users: int, rows: int, measured: bool = True) -> Case:
    def make(seed: int) -> Inputs:
        return partial(io.BytesIO, drawn_text(users, rows, 28, seed)), 28

    shape = f"{users} users of {rows} rows, 28 slots, 13 % of users asked about"
    return Case(name, make, shape, (0, 1), measured, () if measured else (torch.float32,))


def _text(name: str, *lines: bytes) -> Case:
    def make(seed: int) -> Inputs:
        return partial(io.BytesIO, b"\n".join(lines)), 3

    return Case(name, make, measured=False, dtypes=(torch.float32,))


REWRITE = Rewrite(
    title="Read only the users who are asked about",
    found=(Form("found", found, "never: it keeps every row of everybody as Python objects"),),
    forms=(
        Form("filtered", _history, "wherever a minority of users is predicted"),
        Form("late filter", _late, "where nearly every user is predicted"),
    ),
    traps=(Form("filter in file order", _in_file_order, "never: it loses history"),),
    cases=(
        _drawn("800 rows", 40, 20, measured=False),
        _drawn("10,000 rows", 500, 20),
        _text("nothing"),
        _text("nobody to predict", b"1,2,3,0,9,5:1", b""),
        _text("history first", b"1,2,3,0,9,5:1,6:2", b"2,2,3,10,5:1", b"3,4,3,0,9,5:1", b""),
        _text(
            "rows to mend and to skip",
            b"\xef\xbb\xbf1,02,3,1,9,5:1,6:2,6:2\r",
            b"2,2,3,10,5:1,x:2,7:99,8,9:2,",
            b"no row",
            b"3,2,3,7,11,5:1",
            b"4,2,,0,11,5:1",
            b"5,9,3,10,5:1:1",
            b"6,2,3,0,1,-5:3",
        ),
    ),
    goals=(Goal("10,000 rows", ratio=4.0),),
    adopt=_adopted,
)

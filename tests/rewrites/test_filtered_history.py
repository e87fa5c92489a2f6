"""Only the users asked about: the same rows as the plain reader keeps, in a fraction of the memory."""

from __future__ import annotations

import io
import tracemalloc
from dataclasses import fields
from functools import partial

import torch
from hypothesis import given
from hypothesis import strategies as st

from perfkit.rewrites.filtered_history import (
    History,
    drawn_text,
    filtered_history,
    found,
    late_filter,
)

SLOTS = 5


def same(mine: History, right: History) -> bool:
    return all(torch.equal(getattr(mine, f.name), getattr(right, f.name)) for f in fields(History))


line = st.builds(
    lambda logid, user, click, time, pairs: b",".join(
        [b"%d,%s,7" % (logid, user), *click, b"%d" % time, *pairs]
    ),
    st.integers(0, 99),
    st.sampled_from([b"1", b"2", b"3", b"02", b"x"]),
    st.sampled_from([[], [b"0"], [b"1"], [b"5"]]),
    st.integers(0, 9),
    st.lists(st.sampled_from([b"5:1", b"6:2", b"7:2", b"4:5", b"8:9", b"bad"]), max_size=5),
)


@given(st.lists(line, max_size=14).map(b"\n".join))
def test_any_rows_give_what_the_plain_reader_keeps(text):
    source = partial(io.BytesIO, text)
    right = found(source, SLOTS)
    assert same(filtered_history(source, SLOTS)[0], right)
    assert same(late_filter(source, SLOTS)[0], right)


def test_known_users_spare_the_first_pass():
    text = drawn_text(20, 6, SLOTS, seed=1, asked=0.5)
    right = found(partial(io.BytesIO, text), SLOTS)
    opened = []

    def source() -> io.BytesIO:
        opened.append(1)
        return io.BytesIO(text)

    users = {b"%d" % user for user in right.user.tolist()}
    assert same(filtered_history(source, SLOTS, users)[0], right)
    assert len(opened) == 1


def test_rows_of_one_time_stay_in_the_order_of_the_file():
    text = b"3,1,7,0,5,1:1\n1,1,7,5,1:1\n2,1,7,0,4,1:1\n"
    history, _ = filtered_history(partial(io.BytesIO, text), SLOTS)
    assert history.logid.tolist() == [2, 3, 1]
    assert history.click.tolist() == [0, 0, -1]


def peak(read: object, text: bytes) -> int:
    tracemalloc.start()
    read(partial(io.BytesIO, text), 28)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def test_memory_is_that_of_the_users_asked_about():
    text = drawn_text(1_000, 8, 28, seed=0)
    # both keep the same rows in the end; a block of the file is held besides
    assert peak(filtered_history, text) - 4 * 2**20 < 0.15 * peak(found, text)
    assert peak(filtered_history, text + drawn_text(1_000, 8, 28, 1, asked=0.0)) < 1.3 * peak(
        filtered_history, text
    )

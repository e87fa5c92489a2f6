"""Lines in blocks of any size; users found by their rows to predict, however these are written."""

from __future__ import annotations

import io
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfkit.rewrites.filtered_history import stream
from perfkit.rewrites.filtered_history.rows import Reading
from perfkit.rewrites.filtered_history.stream import asked_users, blocks, lines_of


def source(text: bytes):
    return partial(io.BytesIO, text)


def lines(text: bytes, block: int = 1 << 20, reading: Reading | None = None):
    found = blocks(source(text), reading or Reading(), block)
    return [(number, line) for first, some in found for number, line in enumerate(some, first)]


@given(
    st.lists(st.text("ab,\r", max_size=5).map(str.encode), max_size=6).map(b"\n".join),
    st.integers(1, 9),
)
def test_blocks_of_any_size_give_the_same_lines(text, block):
    assert lines(text, block) == lines(text)


def test_line_ends_of_other_systems_and_a_missing_last_one():
    reading = Reading()
    assert lines(b"a\r\nb\n\nc", reading=reading) == [(1, b"a"), (2, b"b"), (3, b""), (4, b"c")]
    assert reading.problems == {"last line without an end": 1}


def test_a_line_longer_than_any_row_is_skipped_and_what_follows_is_not(monkeypatch):
    monkeypatch.setattr(stream, "LONGEST", 20)
    reading = Reading()
    text = b"first\n" + b"x" * 90 + b"\nlast\n"
    assert lines(text, 8, reading) == [(1, b"first"), (2, b""), (3, b"last")]
    assert reading.problems == {"line of more than a megabyte skipped": 1}


@pytest.mark.parametrize("line", [b"1,2,3,9,5:1", b"1,002,3,9,5:1", b"1,2,3,9", b"1, 2,3,9,,"])
def test_a_row_to_predict_names_its_user_however_it_is_written(line):
    assert asked_users(source(b"4,5,3,0,9,5:1\n" + line + b"\n")) == {b"2"}


def test_rows_with_a_click_name_nobody():
    assert asked_users(source(b"4,5,3,0,9,5:1\n4,5,3,1,9\n")) == set()


def test_lines_of_other_users_are_counted_and_passed_over():
    text = b"1,2,3,9,5:1\n1,7,3,9,5:1\n1,02,3,0,9\nnothing\n1,x,3,0,9\n"
    reading = Reading()
    kept = [line for some in lines_of(source(text), {b"2"}, reading) for _, line in some]
    assert kept == [b"1,2,3,9,5:1", b"1,02,3,0,9", b"1,x,3,0,9"]
    assert (reading.lines, reading.of_other_users) == (5, 1)
    assert reading.problems == {"row without its numbers skipped": 1}

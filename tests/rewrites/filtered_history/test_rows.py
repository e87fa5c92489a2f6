"""The row format: what is kept as it is, mended, and skipped; fast and tolerant reading agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfkit.rewrites.filtered_history.rows import (
    ASKED_FOR,
    Reading,
    as_number,
    as_pair,
    mend,
    parse,
)

SLOTS = 9


def read(line: bytes):
    """What a line says, and which problems were told."""
    reading = Reading()
    row = mend(line, SLOTS, 7, reading)
    return row, dict(reading.problems)


@pytest.mark.parametrize(
    ("line", "head", "pairs"),
    [
        (b"1,2,3,1,99,5:1,6:2", (1, 2, 99, 1), [(5, 1), (6, 2)]),
        (b"1,2,3,99,5:1", (1, 2, 99, ASKED_FOR), [(5, 1)]),
        (b"1,2,3,0,99", (1, 2, 99, 0), []),
        (b"1,2,3,99", (1, 2, 99, ASKED_FOR), []),
        (b"1,2,3,99,", (1, 2, 99, ASKED_FOR), []),
        (b"1,2,3,1,99,5:1,", (1, 2, 99, 1), [(5, 1)]),
        (b"\xef\xbb\xbf1,2,3,1,99,5:1\r", (1, 2, 99, 1), [(5, 1)]),
        (b" 1, 02 ,3,1,99, -5:1", (1, 2, 99, 1), [(-5, 1)]),
    ],
)
def test_rows_that_keep_their_meaning_are_read_without_a_word(line, head, pairs):
    assert read(line) == ((head, pairs), {})


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        (b"1,2,3,1,99,5:1,x:2,6:2", [(5, 1), (6, 2)]),
        (b"1,2,3,1,99,5,6:2", [(6, 2)]),
        (b"1,2,3,1,99,5:0,6:2", [(6, 2)]),
        (b"1,2,3,1,99,5:10,6:2", [(6, 2)]),
        (b"1,2,3,1,99,5:1:1,6:2", [(6, 2)]),
        (b"1,2,3,1,99,1_0:1,6:2", [(6, 2)]),
        (b"1,2,3,1,99," + b"9" * 30 + b":1,6:2", [(6, 2)]),
    ],
)
def test_a_bad_pair_goes_and_the_row_stays(line, pairs):
    row, problems = read(line)
    assert row == ((1, 2, 99, 1), pairs)
    assert problems == {"pair that is no sign:slot dropped": 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"no row at all", "row without its numbers skipped"),
        (b"1,2", "row without its numbers skipped"),
        (b"1,,3,1,99,5:1", "row without its numbers skipped"),
        (b"-1,2,3,1,99,5:1", "row without its numbers skipped"),
        (b"1,2,3,1,,5:1", "row without its numbers skipped"),
        (b"1,2,3,7,99,5:1", "row whose click is neither 0 nor 1 skipped"),
        (b"\x00\xff,2,3,1,99,5:1", "row without its numbers skipped"),
    ],
)
def test_a_row_without_its_numbers_is_skipped_and_told(line, reason):
    assert read(line) == (None, {reason: 1})


@pytest.mark.parametrize("line", [b"", b"  ", b"\r", b"\xef\xbb\xbf"])
def test_blank_lines_are_not_worth_a_word(line):
    assert read(line) == (None, {})


def test_numbers_are_plain_ones_of_64_bits():
    assert as_number(b" 012 ") == 12
    assert as_number(b"9223372036854775807") == 2**63 - 1
    assert [as_number(t) for t in (b"9223372036854775808", b"", b"1_0", b"+1", b"1.0")] == [
        None
    ] * 5
    assert as_pair(b"-3:9", SLOTS) == (-3, 9)
    assert as_pair(b"--3:9", SLOTS) is None


fields = st.one_of(
    st.integers(0, 12).map(lambda n: b"%d" % n),
    st.tuples(st.integers(0, 9), st.integers(0, 10)).map(lambda p: b"%d:%d" % p),
    st.sampled_from([b"", b"x", b" 1", b"01", b":", b"1:", b":1", b"-1:2", b"\r", b"1:2:3"]),
)


@given(st.lists(st.lists(fields, max_size=9).map(b",".join), max_size=8))
def test_reading_many_lines_at_once_agrees_with_the_tolerant_reading_of_each(lines):
    rows = parse(enumerate(lines, 1), SLOTS, Reading())
    expected = [
        (number, mend(line, SLOTS, number, Reading())) for number, line in enumerate(lines, 1)
    ]
    expected = [(number, row) for number, row in expected if row]
    assert rows.line.tolist() == [number for number, _ in expected]
    heads = zip(rows.logid, rows.user, rows.timestamp, rows.click, strict=True)
    assert [tuple(map(int, head)) for head in heads] == [head for _, (head, _) in expected]
    pairs = list(zip(rows.row.tolist(), rows.sign.tolist(), rows.slot.tolist(), strict=True))
    assert pairs == [(i, *pair) for i, (_, row) in enumerate(expected) for pair in row[1]]


def test_problems_keep_count_and_the_first_places():
    reading = Reading()
    parse([(n, b"1,2,3,1,99,5:99") for n in range(1, 31)], SLOTS, reading)
    assert reading.problems == {"pair of an unknown slot dropped": 30}
    assert [line for line, _ in reading.examples] == list(range(1, 9))

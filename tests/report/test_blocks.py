"""Blocks are data: what is left out is counted."""

from __future__ import annotations

from perfkit.report.blocks import Cell, capped


def test_nothing_is_left_out_of_a_short_table() -> None:
    rows = [(Cell("a"),), (Cell("b"),)]
    assert capped(rows, 2) == (tuple(rows), 0)


def test_what_is_left_out_is_counted() -> None:
    rows = [(Cell(str(number)),) for number in range(5)]
    assert capped(rows, 2) == (((Cell("0"),), (Cell("1"),)), 3)

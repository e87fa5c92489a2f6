"""Tables keep their shape, their units and their unknowns."""

from __future__ import annotations

import json

import pytest

from perfkit.model.table import Column, Table

TABLE = Table(
    (Column("op"), Column("blocked_ns", "ns")), (("aten::item", None), ("aten::nonzero", 5))
)


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="1 cells under 2 columns"):
        Table(TABLE.columns, (("a",),))


def test_json_and_back():
    data = json.loads(json.dumps(TABLE.to_json()))
    assert Table.from_json(data) == TABLE
    assert data["columns"] == [{"name": "op"}, {"name": "blocked_ns", "unit": "ns"}]


def test_as_a_frame_unknown_is_missing_not_zero():
    frame = TABLE.frame()
    assert list(frame.columns) == ["op", "blocked_ns"] and frame["blocked_ns"].isna().tolist() == [
        True,
        False,
    ]

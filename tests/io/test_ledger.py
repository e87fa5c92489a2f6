"""The ledger: nothing written is lost, nothing broken stops the reader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfkit.base.errors import PerfkitError
from perfkit.io import ledger


def test_an_absent_ledger_is_empty(tmp_path):
    assert ledger.read(tmp_path / "none.jsonl") == ledger.Ledger((), 0)


def test_entries_come_back_in_order(tmp_path):
    path = tmp_path / "new" / "ledger.jsonl"
    for number in range(3):
        ledger.append(path, {"number": number, "hypothesis": "größer\nist besser"})
    found = ledger.read(path)
    assert [entry["number"] for entry in found.entries] == [0, 1, 2]
    assert found.entries[0]["hypothesis"] == "größer\nist besser"
    assert found.entries[0]["schema"] == ledger.SCHEMA


@given(cut=st.integers(1, 60))
def test_a_line_cut_by_a_kill_costs_itself_and_nothing_else(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    for number in range(2):
        ledger.append(path, {"number": number, "padding": "x" * 60})
    path.write_bytes(path.read_bytes()[:-cut])
    ledger.append(path, {"number": 2})
    numbers = [entry["number"] for entry in ledger.read(path).entries]
    assert numbers in ([0, 2], [0, 1, 2])
    assert numbers[-1] == 2


def test_what_is_no_entry_is_counted(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b'\xff\xfe\n[1]\n{"number": 1}\n')
    found = ledger.read(path)
    assert len(found.entries) == 1
    assert found.broken == 2


def test_a_place_that_cannot_be_written_is_a_mistake(tmp_path):
    with pytest.raises(PerfkitError, match="ledger"):
        ledger.append(tmp_path, {})
    with pytest.raises(PerfkitError):
        ledger.read(tmp_path)

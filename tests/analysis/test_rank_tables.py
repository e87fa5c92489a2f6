from __future__ import annotations

import json

from perfkit.analysis.rank_tables import (
    ROWS,
    late_ranks_table,
    rank_collectives_table,
    ranks_table,
)
from perfkit.analysis.ranks import ranks
from perfkit.model.table import Table
from tests.rank_traces import NS, ranks_of

PICTURE = "0  iB.mkAAAAA\n1  iB.mkkkkkA\n2  iB.mkAAAAA"
PARTS = ["compute_ns", "transfer_ns", "waiting_ns", "copies_ns", "input_ns", "idle_ns"]


def test_parts_of_a_rank_sum_to_its_window(tmp_path):
    frame = ranks_table(ranks(ranks_of(tmp_path, PICTURE))).frame()
    assert (frame[PARTS].sum(axis=1) == frame["window_ns"]).all()
    assert frame["waiting_ns"].tolist() == [4 * NS, 0, 4 * NS]
    assert frame["late"].tolist() == [0, 1, 0]
    assert frame["caused_ns"].tolist() == [0, 4 * NS, 0]


def test_unknown_clocks_are_none_and_not_zero(tmp_path):
    reports = ranks_of(tmp_path, "0  kA\n1  kA", kinds={"A": "broadcast"})
    rows = ranks_table(ranks(reports)).records()
    assert {row["clock_offset_ns"] for row in rows} == {None}


def test_a_collective_without_waiting_names_nobody(tmp_path):
    (row,) = rank_collectives_table(ranks(ranks_of(tmp_path, "0  kA\n1  kA"))).records()
    assert (row["late_rank"], row["phase"], row["longest_wait_ns"]) == (None, None, 0)


def test_late_ranks_have_their_phases(tmp_path):
    (row,) = late_ranks_table(ranks(ranks_of(tmp_path, PICTURE))).records()
    assert (row["rank"], row["phase"], row["compute_ns"]) == (1, "compute", 4 * NS)


def test_only_the_worst_of_many_collectives_are_kept_in_order_of_time(tmp_path):
    cells = "kA.B" * ROWS
    found = ranks(ranks_of(tmp_path, f"0  {cells}AA\n1  {cells}kA"))
    rows = rank_collectives_table(found).records()
    assert len(found.joint) == 2 * ROWS + 1
    assert len(rows) == ROWS
    assert rows[-1]["late_rank"] == 1
    assert [row["number"] for row in rows] == sorted(row["number"] for row in rows)


def test_tables_survive_json(tmp_path):
    found = ranks(ranks_of(tmp_path, PICTURE))
    for make in (ranks_table, rank_collectives_table, late_ranks_table):
        table = make(found)
        assert Table.from_json(json.loads(json.dumps(table.to_json()))) == table

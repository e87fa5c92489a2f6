"""The tables of `diagnosis.json`: the columns others build on, and nothing said twice."""

from __future__ import annotations

from perfkit.analysis.sync_points import set_up_syncs, sync_points
from perfkit.analysis.sync_tables import set_up_table, source_table, sync_points_table
from perfkit.model.syncs import Frame
from tests.draw import US, copy, draw, item
from tests.sample_runs import PROJECT, ctr_run

CONTRACT = (
    *("file", "line", "function", "code", "op", "kind", "direction", "phase"),
    *("per_step", "certain", "caller", "blocked_ns", "idle_ns"),
)


def test_the_columns_of_the_contract_come_first_and_in_order() -> None:
    table = sync_points_table(())
    assert [column.name for column in table.columns][: len(CONTRACT)] == list(CONTRACT)
    assert table.rows == ()


def test_a_sync_without_a_python_frame_has_no_place_rather_than_an_empty_one() -> None:
    run = draw("step  dddd\nsync  s...", s=item(stack=()))
    (row,) = sync_points_table(sync_points(run)).records()
    assert (row["file"], row["line"], row["function"], row["code"]) == (None, None, None, None)


def test_a_row_carries_the_evidence_and_its_cost() -> None:
    site, user = Frame("/lib/site-packages/x.py", 3, "f"), Frame("/me/train.py", 9, "main")
    run = draw(
        "step  dddd.dddd\nsync  s......s.",
        s=copy(stack=(site, user), caller=user, nbytes=6_000, seen_by=("a", "b"), region="loss"),
    )
    (row,) = sync_points_table(sync_points(run)).records()
    assert row["caller"] == "/me/train.py:9"
    assert row["per_step"] == 1.0
    assert row["nbytes"] == 6_000
    assert row["seen_by"] == "a, b"
    assert row["region"] == "loss"
    assert row["stack"] == "x.py:3 f < train.py:9 main"
    assert (row["blocked_ns"], row["idle_ns"]) == (None, None)
    assert row["wasted_likely_ns"] == 66 * US


def test_what_wastes_most_comes_first() -> None:
    run = draw("step  dddd\nsync  aabb", a=item(line=1, certain=False), b=item(line=2, count=5))
    assert [row["line"] for row in sync_points_table(sync_points(run)).records()] == [2, 1]


def test_set_up_shows_whole_counts() -> None:
    (row,) = set_up_table(set_up_syncs(ctr_run())).records()
    assert (row["count"], row["nbytes"], row["code"]) == (312, 61 << 20, "model.to(device)")


def test_source_is_listed_once_per_place_and_not_at_all_where_unreadable() -> None:
    place = Frame(f"{PROJECT}/ctr/model.py", 21, "forward")
    ctr_run()
    rows = source_table([place, None, place, Frame("/nowhere.py", 1, "f")]).records()
    assert [row["number"] for row in rows] == [18, 19, 20, 21, 22, 23, 24]
    assert [row["number"] for row in rows if row["marked"]] == [21]
    assert {row["function"] for row in rows} == {"SMoE.forward"}

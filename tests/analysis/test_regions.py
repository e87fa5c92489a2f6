"""Regions per step: time from the least distorted steps, syncs from the watched ones."""

from __future__ import annotations

from perfkit.analysis.regions import regions_table
from perfkit.analysis.sync_points import sync_points
from perfkit.model.run import Region
from tests.draw import draw, item


def test_no_region_no_row() -> None:
    assert regions_table(draw("step  bbbb.dddd"), ()).rows == ()


def test_unwatched_regions_have_unknown_syncs() -> None:
    run = draw("step  bbbb", regions=(Region("loss", 0, 2, 300),))
    (row,) = regions_table(run, ()).records()
    assert row == {
        "region": "loss",
        "calls": 2.0,
        "total_ns": 300,
        "ops": None,
        "syncs": None,
        "measured_in": "bare",
    }


def test_time_comes_from_bare_steps_and_syncs_and_operators_from_deep_ones() -> None:
    run = draw(
        """
        step  bbbb.bbbb.dddd.dddd
        sync  ..........ss...s...
        """,
        s=item(region="loss"),
        regions=(
            Region("loss", 0, 1, 100),
            Region("loss", 1, 1, 300),
            Region("loss", 2, 1, 9_000, 40),
            Region("loss", 3, 1, 9_000, 44),
            Region("mask", 3, 1, 5),
        ),
    )
    rows = {row["region"]: row for row in regions_table(run, sync_points(run)).records()}
    assert (rows["loss"]["total_ns"], rows["loss"]["ops"], rows["loss"]["syncs"]) == (200, 42, 1.5)
    assert (rows["mask"]["measured_in"], rows["mask"]["syncs"]) == ("deep", 0)

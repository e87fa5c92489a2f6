"""The sections of the roofline and the floor."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from perfkit.model.diagnosis import Diagnosis
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from perfkit.model.table import Table
from perfkit.report.blocks import Block, Figure, Grid, Text
from perfkit.report.html import render
from perfkit.report.sections import floor, roofline, verdict
from perfkit.report.sections._roofline_figures import rate
from perfkit.report.sections.floor import percent
from perfkit.report.sections.roofline import flops
from perfkit.rules import _engine, diagnose
from tests.analysis.test_run_floors import run
from tests.cost_rows import CPU, GPU, product, row, unknown
from tests.sample_runs import ctr_run

EVIL = "</script><img src=x onerror=alert(1)>{{7*7}}"
COSTS = (
    product(us=40, host_ns=90_000, module="M.layers.0.up", place=Frame("/p/m.py", 7, "f"),
            read=500_000, written=500_000, calls=2),
    row(us=5, flops=10**6, host_ns=9_000, phase="forward"),
    row("aten::copy_", us=5, host_ns=9_000, phase="other"),
    unknown(EVIL, signature=EVIL, module=EVIL, host_ns=12_000, region=EVIL),
)  # fmt: skip


def judged(**fields: object) -> Diagnosis:
    return diagnose(run(**{"costs": COSTS, "peaks": CPU, **fields}), _engine.outcome)


def figures(block: Block) -> dict[str, Figure]:
    return {part.anchor: part for part in block.parts if isinstance(part, Figure)}


def made(section: object, diagnosis: Diagnosis) -> Block:
    block = section.section(diagnosis)
    assert block is not None
    return block


@pytest.mark.parametrize("section", [floor, roofline])
def test_silent_where_no_step_was_costed(section) -> None:
    for found in (diagnose(ctr_run(), _engine.outcome), diagnose(Run("empty"), _engine.outcome)):
        assert section.section(found) is None


def test_points_stand_where_they_were_measured_under_the_roofs_that_occur() -> None:
    chart = figures(made(roofline, judged()))["chart-roofline"]
    series = {line["name"]: line for line in chart.spec["data"]}
    point = series["compute-bound operators"]
    assert point["x"] == [40.0]
    assert point["y"] == [pytest.approx(40 * 10**6 / 90_000 * 1e9)]
    assert "m.py:7" in point["customdata"][0]
    assert "M.layers.*.up" in point["customdata"][0]
    roof = series["float32 matmul roof"]
    assert max(roof["y"]) == 1e12
    assert 1.0 in roof["x"], "the ridge"


def test_sizes_follow_time() -> None:
    costs = tuple(row(us=1, flops=10**6, host_ns=ns, signature=str(ns)) for ns in (400, 100))
    chart = figures(made(roofline, judged(costs=costs)))["chart-roofline"]
    (points,) = [line for line in chart.spec["data"] if line.get("mode") == "markers"]
    assert points["marker"]["size"] == [34.0, 17.0]


def test_without_peaks_of_this_machine_points_lie_on_the_roof_of_a_named_one() -> None:
    costs = tuple(row(us=us, flops=10**6) for us in (1, 2))
    block = made(roofline, judged(peaks=None, costs=costs))
    assert "NVIDIA H200 SXM" in block.lead
    assert "Nothing was measured there" in block.lead


def test_what_is_not_known_is_drawn_and_listed() -> None:
    block = made(roofline, judged())
    shares = figures(block)["chart-roofline-shares"]
    assert "cost unknown 10%" in shares.summary
    assert "memory-bound, no arithmetic 8%" in shares.summary
    unknown_grid = block.parts[-1]
    assert isinstance(unknown_grid, Grid)
    assert unknown_grid.rows[0][1].text.startswith("no cost model for")


def test_calls_are_shown_where_time_was_not_measured() -> None:
    block = made(roofline, judged(costs=(row(us=5, flops=9, calls=3), unknown())))
    assert figures(block)["chart-roofline-shares"].summary == (
        "of the operator calls: memory-bound, with arithmetic 75%, cost unknown 25%"
    )


def test_only_unknown_operators_make_no_chart_of_points() -> None:
    block = made(roofline, judged(costs=(unknown(),)))
    assert list(figures(block)) == ["chart-roofline-shares"]


def test_hostile_names_stay_text() -> None:
    page = render(judged())
    assert "<img src=x" not in page
    hovers = json.dumps([f.spec for f in figures(made(roofline, judged())).values()])
    assert "<img" not in hovers


def test_groups_of_modules_regions_and_phases_tell_intensity_floor_and_time() -> None:
    found = judged(costs=(*COSTS, row(us=3, module="M.up", region="loss", host_ns=6_000)))
    grids = {part.folded: part for part in made(roofline, found).parts if isinstance(part, Grid)}
    for what in ("module", "region", "phase"):
        grid = grids[f"By {what}, the largest floors first"]
        heads = [head.title for head in grid.heads]
        assert {"FLOPs", "Bytes", "FLOP per byte", "Time", "Floor", "Of its floor"} <= set(heads)
    modules = {cells[0].text: cells for cells in grids["By module, the largest floors first"].rows}
    assert modules["M.layers.*.up"][heads.index("FLOP per byte")].text == "40"
    assert modules["M.up"][heads.index("Of its floor")].text == "50%"


def test_the_amounts_of_the_whole_step_are_a_sentence() -> None:
    whole = made(roofline, judged(costs=(product(us=40, read=10**6, written=10**6),)))
    assert "The whole step is 40 MFLOP and 1.91 MiB, 20 FLOP per byte" in whole.lead
    assert "The whole step" not in made(roofline, judged(costs=(unknown(),))).lead


def test_what_products_fill_is_a_range_beside_what_they_reached() -> None:
    sized = product(flops=2 * 512 * 64 * 512, device_ns=9_000)
    wide = replace(GPU, compute_units=512)
    found = judged(costs=(sized, row(device_ns=2_000)), device="cuda", peaks=wide)
    grid = next(part for part in made(roofline, found).parts if isinstance(part, Grid))
    assert [cells[4].detail for cells in grid.rows] == ["fills 2% to 50%", ""]
    table = found.tables["roofline"]
    kept = [i for i, column in enumerate(table.columns) if not column.name.startswith("filled")]
    old = Table(
        tuple(table.columns[i] for i in kept),
        tuple(tuple(cells[i] for i in kept) for cells in table.rows),
    )
    before = replace(found, tables={**found.tables, "roofline": old})
    grid = next(part for part in made(roofline, before).parts if isinstance(part, Grid))
    assert [cells[4].detail for cells in grid.rows] == ["", ""]


def test_the_floor_tells_measured_from_predicted() -> None:
    block = made(floor, judged())
    grid = next(part for part in block.parts if isinstance(part, Grid))
    devices = [cells[0].text for cells in grid.rows]
    assert devices == ["CPU", "NVIDIA H200 SXM", "NVIDIA A100 SXM 80GB", "NVIDIA T4"]
    assert grid.rows[0][2].detail == "measured"
    assert grid.rows[1][2].detail.startswith("predicted, ")
    assert grid.rows[0][6].text == "–", "a CPU waits for nobody"
    assert "waits" in figures(block)["chart-floor"].summary


def test_narrower_dtypes_are_rows_folded_away() -> None:
    last = made(floor, judged()).parts[-1]
    assert isinstance(last, Grid)
    assert last.folded
    assert [cells[0].text for cells in last.rows][:3] == [
        "as it is", "matrix products in tf32", "floats as bfloat16",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0.00147, "0.15%"), (0.026, "2.6%"), (0.5, "50%"), (1.724, "172%")],
)
def test_percentages_of_a_floor(value, shown) -> None:
    assert percent(value) == shown


def test_rates_and_flops_for_people() -> None:
    assert (rate(989e12), rate(4.4e10), rate(12.0)) == ("989 TFLOP/s", "44 GFLOP/s", "12 FLOP/s")
    assert (flops(2.5e9), flops(0), flops(None)) == ("2.5 GFLOP", "0", "–")


def test_the_first_screen_says_what_limits_the_step() -> None:
    texts = [part.text for part in made(verdict, judged()).parts if isinstance(part, Text)]
    assert texts[0].startswith("Limited by: ")
    assert "NVIDIA H200 SXM (predicted)" in texts[0]
    without = made(verdict, diagnose(ctr_run(), _engine.outcome)).parts
    assert not any("Limited by" in part.text for part in without if isinstance(part, Text))

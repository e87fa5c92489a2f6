"""The section on many ranks: what it shows, and what a stranger's names cannot do to it."""

from __future__ import annotations

from dataclasses import replace

from perfkit.analysis.ranks import ranks
from perfkit.model.diagnosis import Coverage, Diagnosis, Verdict
from perfkit.report.blocks import Figure, Grid
from perfkit.report.html import render
from perfkit.report.sections._rank_bars import PARTS, rank_bars
from perfkit.report.sections.ranks import section
from perfkit.rules import with_ranks
from tests.rank_traces import ranks_of

BASE = Diagnosis("one", Verdict("a", "b", "c"), Coverage(1, "a trace"))
LATE = "0  iB.kkAAAAA\n1  iB.kkkkkkA\n2  iB.kkAAAAA"
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">{{7*7}}"


def told(tmp_path, picture, **how):
    return with_ranks(BASE, ranks(ranks_of(tmp_path, picture, **how)))


def grids(block):
    return [part for part in block.parts if isinstance(part, Grid)]


def test_one_rank_has_no_section():
    assert section(BASE) is None


def test_ranks_that_keep_step_have_bars_but_no_late_rank(tmp_path):
    block = section(told(tmp_path, "0  kkA\n1  kkA"))
    assert block is not None
    collectives, clocks = grids(block)
    assert collectives.rows[0][4].text == "–"
    assert clocks.folded


def test_who_was_late_by_how_much_and_in_which_phase(tmp_path):
    block = section(told(tmp_path, LATE))
    assert block is not None
    late, collectives, _ = grids(block)
    texts = [cell.text for cell in late.rows[0]]
    assert texts[:5] == ["rank 1", "1", "400 µs", "400 µs", "computed longer"]
    assert texts[5:] == ["–", "+400 µs", "–", "–", "–", "–"]
    first = collectives.rows[0]
    assert (first[0].detail, first[4].text, first[5].text) == (
        "number 1 of group 0",
        "rank 1",
        "400 µs",
    )


def test_bars_of_a_rank_sum_to_its_step(tmp_path):
    table = told(tmp_path, LATE).tables["ranks"]
    spec = rank_bars(table)
    assert [series["name"] for series in spec["data"]] == [title for _, title, _ in PARTS]
    for index, row in enumerate(table.records()):
        assert abs(sum(s["x"][index] for s in spec["data"]) - row["window_ns"] / 1e6) < 1e-9


def test_names_of_strangers_never_become_markup(tmp_path):
    reports = ranks_of(tmp_path, LATE)
    bad = [
        replace(
            report,
            name=HOSTILE,
            device=HOSTILE,
            gaps=(HOSTILE,),
            collectives=tuple(replace(c, group=HOSTILE) for c in report.collectives),
        )
        for report in reports
    ]
    page = render(with_ranks(BASE, ranks(bad), [HOSTILE], HOSTILE))
    assert HOSTILE not in page
    assert "<img" not in page


def test_hundreds_of_ranks_stay_readable(tmp_path):
    (report,) = ranks_of(tmp_path, "0  kkA")
    many = with_ranks(BASE, ranks(replace(report, rank=rank) for rank in range(300)))
    block = section(many)
    assert block is not None
    assert len(grids(block)[-1].rows) <= 100
    figure = next(part for part in block.parts if isinstance(part, Figure))
    assert len(figure.spec["data"][0]["y"]) <= 64

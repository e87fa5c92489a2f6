"""The section on many ranks: what it shows, and what a stranger's names cannot do to it."""

from __future__ import annotations

from dataclasses import replace

from perfkit.analysis.ranks import ranks
from perfkit.analysis.trace_run import trace_run
from perfkit.model.diagnosis import Coverage, Diagnosis, Verdict
from perfkit.report import _sections
from perfkit.report._findings import ranked
from perfkit.report.blocks import Figure, Grid
from perfkit.report.html import render
from perfkit.report.sections._rank_bars import PARTS, rank_bars
from perfkit.report.sections.ranks import section
from perfkit.report.sections.verdict import section as verdict
from perfkit.rules import _engine, diagnose, with_ranks
from tests.rank_traces import ranks_of
from tests.trace_pictures import trace

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


def test_the_first_screen_is_of_all_ranks_and_names_the_extremes(tmp_path):
    (hero, *_) = verdict(told(tmp_path, LATE)).parts
    assert [(tile.value, tile.detail) for tile in hero.tiles] == [
        ("1 ms", "the same on every rank"),
        ("400 µs", "0 ns (rank 1) to 400 µs (rank 0)"),
        ("100 µs", "the same on every rank"),
        ("rank 1", "the others wait 400 µs per step on average"),
    ]


def test_ranks_that_keep_step_wait_for_nobody(tmp_path):
    (hero, *_) = verdict(told(tmp_path, "0  kkA\n1  kkA")).parts
    assert (hero.tiles[-1].value, hero.tiles[-1].detail[:7]) == ("–", "no rank")


def test_sections_and_lines_of_one_rank_alone_are_labelled(tmp_path):
    events = trace(
        "step ssss\nop aa.. a=aten::item\ncall lw.. l=cudaLaunchKernel w=cudaStreamSynchronize\ngpu .k.k k=g"
    )
    base = diagnose(trace_run(events, "one"), _engine.outcome)
    whole = with_ranks(base, ranks(ranks_of(tmp_path, LATE)), shown=1)
    titles = {block.anchor: block.title for block in _sections.blocks(whole)}
    assert titles["kernels"] == "Rank 1: Kernels and launches"
    assert not any(titles[anchor].startswith("Rank") for anchor in ("verdict", "ranks", "run"))
    lines = {item.rule: item.where for item in ranked(whole)}
    assert lines["late-rank"] == "rank 1"
    assert lines["host-wait-in-step"] == "aten::item (rank 1)"


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
    assert len(grids(block)[-1].shown) <= 100
    figure = next(part for part in block.parts if isinstance(part, Figure))
    assert len(figure.spec["data"][0]["y"]) <= 64

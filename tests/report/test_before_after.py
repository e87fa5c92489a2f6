"""The page of two runs: what it says, in every format, of what is the same, better, or not comparable."""

from __future__ import annotations

import io
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from perfkit.compare.comparison import Comparison, compare
from perfkit.model.diagnosis import Diagnosis
from perfkit.report import before_after
from perfkit.report.blocks import Hero
from perfkit.rules import _engine, diagnose
from tests.compare.pictures import diagnosis, finding, outcome, point
from tests.sample_runs import ctr_run, hostile_run, lens_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
STEPS = tuple(range(10_000_000, 10_000_012))
TWICE = tuple(2 * each for each in STEPS)


def slow() -> Diagnosis:
    found = (outcome("host-wait-in-step", finding(10, "x.item()", 1_000_000)),)
    return diagnosis(point(10, "x.item()", 16.0), run="slow", outcomes=found, steps=TWICE)


def fast() -> Diagnosis:
    return diagnosis(point(12, "x.item()", 1.0), run="fast", steps=STEPS)


def shown(comparison: Comparison) -> str:
    written = io.StringIO()
    before_after.show(comparison, Console(file=written, width=100))
    return written.getvalue()


def test_a_run_beside_itself_says_that_nothing_differs() -> None:
    text = shown(compare(slow(), slow()))
    assert "No measurable difference in step time: 20 ms → 20 ms" in text
    assert "16 synchronisations" in text and "1 remained" in text
    assert "differs" not in text and "→ 16" not in text
    page = before_after.text(compare(slow(), slow()))
    assert "0 of 1 lines changed" in page
    assert "Differences of the surroundings" not in page


def test_what_makes_runs_incomparable_comes_first() -> None:
    left, right = (
        replace(each, facts={"gpu": gpu}) for each, gpu in ((slow(), "A100"), (fast(), "H200"))
    )
    lines = shown(compare(left, right)).splitlines()
    assert lines[1] == "not comparable: gpu: A100 → H200"
    assert lines[2].startswith("Whether a step takes longer is not judged (20 ms → 10 ms)")
    assert "Times of these runs cannot be compared" in before_after.text(compare(left, right))


def test_a_faster_step_is_told_with_its_reason_and_its_lines() -> None:
    text = shown(compare(slow(), fast()))
    assert "A step is 2x faster: 20 ms → 10 ms" in text
    assert "Per step 16 → 1 synchronisations" in text
    assert "99 % interval" in text and "12 and 12 bare steps" in text
    assert "model.py:12 (was 10): 16 → 1 aten::item" in text
    assert "gone: host-wait-in-step: waits" in text


def test_a_slower_step_names_what_is_new() -> None:
    text = shown(compare(fast(), slow()))
    assert "A step is 2x slower: 10 ms → 20 ms" in text
    assert "Next: model.py:10: do not" in text


def test_what_was_predicted_stands_beside_what_was_won() -> None:
    text = before_after.text(compare(slow(), fast()))
    assert "Predicted saving of what is gone on CUDA: 0.5–2 ms per step; measured: 10 ms" in text
    on_gpu = [replace(each, facts={"device": "cuda"}) for each in (slow(), fast())]
    text = before_after.text(compare(*on_gpu))
    assert "Predicted saving of what is gone: 0.5–2 ms per step; measured: 10 ms." in text


def pretended() -> Comparison:
    facts = {"device": "pretend-cuda", "launches per step": "90"}
    return compare(*(replace(each, facts=facts) for each in (slow(), fast())))


def test_under_the_pretence_what_was_counted_leads_and_the_time_is_this_cpus() -> None:
    lines = shown(pretended()).splitlines()
    assert lines[1] == (
        "Per step 16 → 1 synchronisations, 0 blocking copies, 90 launches; "
        "estimated cost of waits and copies on CUDA: 0.5–2 ms → nothing."
    )
    assert lines[2] == (
        "Findings: 1 gone. On this CPU, which is no test of CUDA: A step is 2x faster: 20 ms → 10 ms."
    )
    assert lines[3].startswith("After takes 0.500 of before's CPU time (99 % interval")
    verdict, *others = before_after.blocks(pretended())
    (hero,) = (part for part in verdict.parts if isinstance(part, Hero))
    assert [tile.label for tile in hero.tiles] == [
        "synchronisations per step",
        "blocking copies per step",
        "launches per step",
        "estimated cost of waits and copies on CUDA, per step",
        "step time on this CPU",
    ]
    assert [tile.value for tile in hero.tiles[-2:]] == ["1 ms → 0", "20 ms → 10 ms"]
    assert "Step time on this CPU" in [block.title for block in others]


def test_under_the_pretence_counts_that_did_not_change_are_no_news() -> None:
    same = replace(slow(), facts={"device": "pretend-cuda"})
    assert (
        shown(compare(same, same))
        .splitlines()[1]
        .startswith(
            "Nothing that is counted changed: 16 synchronisations, 0 blocking copies per step; "
        )
    )


def test_unknown_counts_are_dashes_and_not_zeros() -> None:
    blind = diagnosis(run="blind", outcomes=())
    text = before_after.text(compare(blind, slow()))
    assert "no complete step was measured before" in text
    assert "−16" not in before_after.text(compare(slow(), blind))
    assert before_after.page(compare(blind, blind)).startswith("<!doctype html>")


@pytest.mark.parametrize("make", [hostile_run, ctr_run])
def test_names_stay_text_in_every_format(make: object) -> None:
    found = diagnose(hostile_run(), _engine.outcome)
    comparison = compare(found, diagnose(make(), _engine.outcome))  # type: ignore[operator]
    page = before_after.page(comparison)
    assert "<script>alert" not in page and "<img" not in page
    outside_of_code = re.sub(r"(`+)(?:(?!\1).)*\1", "", before_after.text(comparison))
    assert "<" not in outside_of_code
    assert "\x1b" not in shown(comparison)


def test_two_whole_runs_make_a_page_with_a_chart() -> None:
    left, right = (diagnose(make(), _engine.outcome) for make in (ctr_run, lens_run))
    page = before_after.page(compare(left, right))
    assert 'data-chart="chart-steps"' in page
    assert "http://" not in page.split('id="plotly"')[0]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_page_opens_offline_draws_and_stays_quiet(tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    page = tmp_path / "page.html"
    page.write_text(before_after.page(compare(slow(), fast())), encoding="utf-8")
    told: list[str] = []
    with playwright.sync_playwright() as started:
        arguments = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        tab = browser.new_page()
        tab.on("console", lambda message: told.append(message.text))
        tab.on("pageerror", lambda error: told.append(str(error)))
        tab.on("request", lambda request: told.append(request.url))
        tab.goto(page.as_uri())
        tab.locator("#chart-steps").scroll_into_view_if_needed()
        tab.locator("#chart-steps .main-svg").first.wait_for()
        assert tab.locator("h1").inner_text() == "A step is 2x faster: 20 ms → 10 ms."
        browser.close()
    assert told == [page.as_uri()]

"""What every section of a report keeps, whoever writes it."""

from __future__ import annotations

import inspect

import pytest

from perfkit.base import plugins
from perfkit.model.diagnosis import Coverage, Diagnosis, Verdict
from perfkit.model.run import Run
from perfkit.report import _sections
from perfkit.report.blocks import Block, Grid
from perfkit.rules import _engine, diagnose
from tests.sample_runs import ctr_run, hostile_run, lens_run

SECTIONS = plugins.modules(_sections.ROOM)
BARE = Diagnosis("bare", Verdict("a", "b", "c"), Coverage(0, "nothing"))
DIAGNOSES = {
    "ctr": diagnose(ctr_run(), _engine.outcome),
    "lens": diagnose(lens_run(), _engine.outcome),
    "hostile": diagnose(hostile_run(), _engine.outcome),
    "empty": diagnose(Run("empty"), _engine.outcome),
    "bare": BARE,
}


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_has_an_order_a_page_and_its_function(name: str) -> None:
    module = SECTIONS[name]
    assert isinstance(module.ORDER, int)
    assert inspect.isfunction(module.section)
    assert module.__doc__


def test_no_two_sections_share_an_order() -> None:
    orders = [module.ORDER for module in SECTIONS.values()]
    assert len(orders) == len(set(orders))


@pytest.mark.parametrize("diagnosis", DIAGNOSES.values(), ids=DIAGNOSES)
@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_is_silent_or_says_something_in_good_shape(
    name: str, diagnosis: Diagnosis
) -> None:
    block = SECTIONS[name].section(diagnosis)
    if block is None:
        return
    assert isinstance(block, Block)
    assert block.parts
    for part in block.parts:
        if isinstance(part, Grid):
            assert {len(row) for row in part.rows} <= {len(part.heads)}
            assert len(part.shown) <= 100
            assert all(cell.text for row in part.rows for cell in row)


def test_verdict_coverage_and_facts_are_always_there() -> None:
    for diagnosis in DIAGNOSES.values():
        anchors = [block.anchor for block in _sections.blocks(diagnosis)]
        assert anchors[0] == "verdict"
        assert "coverage" in anchors
        assert anchors[-2:] == ["not-checked", "run"]


def test_anchors_are_unique() -> None:
    anchors = [block.anchor for block in _sections.blocks(DIAGNOSES["ctr"])]
    assert len(anchors) == len(set(anchors))

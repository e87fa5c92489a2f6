"""A whole run: tokens unchanged, acceptance worth having, one read per batch."""

from __future__ import annotations

import pytest

from perfkit.workloads.lookahead.generation import run

from .inputs import SMALL


@pytest.fixture(scope="module")
def results():
    return {form: run("laptop", form=form, batches=2) for form in ("plain", "found", "fast")}


def test_found_and_rewritten_generation_give_the_tokens_of_plain_decoding(results):
    assert results["found"].tokens == results["plain"].tokens
    assert results["fast"].tokens == results["plain"].tokens
    assert len(results["plain"].tokens) == 4
    assert {len(row) for row in results["fast"].tokens} == {24}


def test_acceptance_is_worth_drafting_for(results):
    assert 0.5 < results["fast"].acceptance < 0.8
    assert results["fast"].steps < 0.7 * results["plain"].steps
    assert results["plain"].acceptance is None


def test_times_are_there_and_in_order(results):
    for result in results.values():
        assert 0 < result.dispatch_ms <= result.completed_ms
        assert result.tokens_per_s > 0


@pytest.mark.parametrize("form", ["plain", "found", "fast"])
def test_sampled_runs_fill_every_row(form):
    result = run(SMALL, form=form, mode="sampled")
    assert [len(row) for row in result.tokens] == [12] * 3
    assert all(0 <= token < 20 for row in result.tokens for token in row)


def test_an_unknown_setting_is_refused():
    with pytest.raises(ValueError, match="no such setting: speed"):
        run("laptop", speed=3)

"""A run in a few numbers."""

from __future__ import annotations

from dataclasses import replace

from perfkit.integrations._numbers import numbers
from perfkit.model.diagnosis import Coverage, Diagnosis, Verdict
from perfkit.model.run import Run
from perfkit.rules import diagnose
from tests.sample_runs import ctr_run


def test_what_was_not_observed_is_no_number():
    nothing = Diagnosis("empty", Verdict("", "", ""), Coverage(0, ""))
    assert numbers(Run("empty"), nothing) == {}


def test_a_step_that_was_watched_and_found_clear_counts_zero():
    run = replace(ctr_run(), syncs=())
    found = numbers(run, diagnose(run))
    assert found["perfkit/syncs"] == 0


def test_medians_over_the_steps_and_the_largest_saving():
    run = ctr_run()
    diagnosis = diagnose(run)
    found = numbers(run, diagnosis)
    assert found["perfkit/syncs"] == 130
    assert found["perfkit/step_time_traced_ms"] == 449
    assert found["perfkit/findings"] == len(diagnosis.findings())
    assert found["perfkit/largest_saving_ms"] == 8.32

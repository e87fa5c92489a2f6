"""Runs are read by instrument."""

from __future__ import annotations

from perfkit.model.run import Run, Step


def test_steps_are_told_apart_by_instrument():
    steps = (Step(0, "warm-up", 0, 9), Step(1, "bare", 9, 12), Step(2, "deep", 12, 20))
    run = Run("r", steps=steps)
    assert run.steps_measured("bare") == (steps[1],) and steps[1].duration_ns == 3
    assert run.steps_measured("light") == ()

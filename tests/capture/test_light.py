"""How long a trace may get. The trace itself is tested with sessions and in test_kineto."""

from __future__ import annotations

from perfkit.capture.light import Light, affordable_steps


def test_a_trace_always_holds_one_step():
    assert affordable_steps(10**9, 1) == 1


def test_more_steps_where_they_are_small():
    assert affordable_steps(100, 10**6) > affordable_steps(1000, 10**6) > 1


def test_nothing_is_exported_that_was_not_traced(tmp_path):
    light = Light(10**6)
    light.off()
    light.export(tmp_path, "worker")
    assert (light.file, light.ops, list(tmp_path.iterdir())) == (None, (), [])

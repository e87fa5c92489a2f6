"""The noise of a step time, on drawn traces whose steps vary by known amounts."""

from __future__ import annotations

import numpy as np
import pytest

from perfkit.analysis.dependency_graph import DependencyGraph, dependency_graph
from perfkit.analysis.step_noise import step_noise, step_times
from tests.timelines import US, drawn


def graph_of(host: str, steps: str, **lanes: str) -> DependencyGraph:
    events = drawn(host, steps=steps, **lanes)
    return dependency_graph(events, events.steps())


@pytest.mark.parametrize("steps", ["aaaaaaaa", "aaaabbbb"])
def test_one_or_two_steps_tell_nothing(steps: str) -> None:
    assert step_noise(graph_of("oLL.oLL.", steps, s7=".kkk.kkk")) is None


def test_steps_of_one_length_have_no_noise() -> None:
    graph = graph_of("oLL.oLL.oLL.", "aaaabbbbcccc", s7=".kkk.kkk.kkk")
    assert step_times(graph).tolist() == [4 * US] * 3
    assert step_noise(graph) == 0


def test_two_standard_errors_of_a_difference_of_means() -> None:
    graph = graph_of("oLL.oLL...oLL.", "aaaabbbbbbcccc", s7=".kkk.kkkkk.kkk")
    times = step_times(graph)
    assert times.tolist() == [4 * US, 6 * US, 4 * US]
    assert step_noise(graph) == round(2 * np.std([4000, 6000, 4000], ddof=1) * (2 / 3) ** 0.5)


def test_where_the_host_runs_ahead_the_pace_is_the_devices() -> None:
    graph = graph_of("LLLLLL" + "." * 12, "aabbcc" + "." * 12, s7=".kkkkkkkkkkkkkkk")
    times = step_times(graph)
    assert (len(times), int(times.sum())) == (3, graph.span_ns)

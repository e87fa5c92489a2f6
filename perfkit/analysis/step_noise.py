"""By how much the step time of a trace may differ from that of another run of the same program.

A step ends when the last work that it launched has ended, or its own mark if that is later, and takes
from the end of the step before it to its own end. Where the host runs ahead of the device this is the
device's pace, which the marks alone do not show.

The mean of n such steps is compared with the mean of n steps of another run. If steps vary
independently, with the standard deviation s that this trace shows, two such means lie within
2 s sqrt(2 / n) of each other in 19 cases of 20 (two standard errors of a difference of two means).

Does not know: what is the same in every step of a run and different in the next (clocks, memory, a
neighbour who stays), so that it is a lower bound; and with few steps s itself is uncertain.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from perfkit.analysis._replay import EdgeKind
from perfkit.analysis.dependency_graph import DependencyGraph
from perfkit.model.events import Ints

LEAST_STEPS = 3


def step_noise(graph: DependencyGraph) -> int | None:
    """ns of a mean step time that are noise; None with fewer than three steps in a row."""
    times = step_times(graph)
    if len(times) < LEAST_STEPS:
        return None
    return round(2 * float(np.std(times, ddof=1)) * math.sqrt(2 / len(times)))


def step_times(graph: DependencyGraph) -> Ints:
    """ns from the end of one step to the end of the next, the first from the graph's beginning.

    Empty where the graph's steps do not follow each other.
    """
    windows = [
        window
        for window in graph.events.steps()
        if graph.begin_ns <= window.start_ns and window.end_ns <= graph.window_end_ns
    ]
    if not windows or any(b.number != a.number + 1 for a, b in pairwise(windows)):
        return np.empty(0, np.int64)
    nodes, edges = graph.nodes, graph.edges
    launches = edges.kind == int(EdgeKind.LAUNCH)
    starts = np.array([window.start_ns for window in windows], np.int64)
    called = nodes.end[edges.src[launches]]  # the edge leaves what the host did before the call
    step = np.searchsorted(starts, called, "right") - 1
    ends = np.array([window.end_ns for window in windows], np.int64)
    np.maximum.at(ends, np.maximum(step, 0), nodes.end[edges.dst[launches]])
    return np.diff(np.maximum.accumulate(ends), prepend=graph.begin_ns)

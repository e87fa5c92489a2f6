"""What if: the step's dependency graph replayed with an edit, as a new step time with a range.

    WithoutWaits   these calls no longer wait for the device
    Faster         these operators, calls or kernels take 1/k of their time
    Fused          these launches become one
    Overlapped     these copies become asynchronous and leave their stream
    Captured       these launches are replayed as one CUDA graph, without the waits among them
    HostFaster     the host takes 1/k of its time, everywhere or within some intervals

Several edits given together are replayed together: savings are never added up.

The range: the trace's delays are replayed three times, with what is unknown about the edited program
assumed against it (cautious), as usual (likely) and for it (bold), and once more with the trace's
typical delays, each against the unedited graph under the same assumption. The lowest and highest
saving of the four, widened by the calibration error of the unedited graph and by the noise of the
recorded steps, are the range. Noise belongs to it because the prediction starts from a mean of few
steps and is held against another such mean: on a software device, steps of one program differed by
more between two runs than the assumptions below did, and without noise only 2 of 11 measured times lay
within (`benchmarks/savings.md`). `step_noise` says how it is got, and what it cannot know. An edit that
saves nothing under any assumption still saves nothing: noise is no gain.

    unknown                          cautious             likely                   bold
    what a removed wait leaves       the call's own cost  at most 5 µs             nothing
    and of a number no longer read   the same             nothing, no copy either  the same
    the copy of another read         stays                stays                    goes
    how far the host may run ahead   1024 launches        1024 launches            any
    device time of fused kernels     their sum            midway                   the longest
    host time of fused operators     the first one's      the first one's          the first one's
    and between them                 stays                goes                     goes
    host time of captured operators  goes between calls   goes                     goes
    an overlapped copy's stream      unchanged            only its user waits      nobody waits
    a graph's launch, its gaps       20 µs, as before     10 µs, at most 1 µs      5 µs, 0.5 µs

Does not know: whether the edit is possible, whether the program still needs the value that a removed
wait brought, how waiting for other ranks would change, and what differs between two runs but not
between the steps of one. With fewer than three steps noise is unknown and the range the edit's alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perfkit.analysis._edits import (
    Captured,
    Draft,
    Edit,
    Faster,
    Fused,
    HostFaster,
    Overlapped,
    View,
    WithoutWaits,
)
from perfkit.analysis._replay import replay
from perfkit.analysis.dependency_graph import DependencyGraph
from perfkit.analysis.step_noise import step_noise
from perfkit.model.diagnosis import Saving
from perfkit.model.events import Ints

__all__ = [
    "what_if",
    "saving_without_sync",
    "WithoutWaits",
    "Faster",
    "Fused",
    "Overlapped",
    "Captured",
    "HostFaster",
    "Edit",
    "Prediction",
]

METHOD = "what-if"


@dataclass(frozen=True)
class Prediction:
    """Time per step before an edit and, as a range, after it; ns.

    `before_ns` is measured. `calibration_error` is the unedited model's, as a ratio. `noise_ns` is how
    far two measurements of a step may be apart, part of the range; None where the trace cannot tell.
    """

    before_ns: int
    low_ns: int
    likely_ns: int
    high_ns: int
    calibration_error: float
    noise_ns: int | None = None

    @property
    def saving(self) -> Saving:
        """The same as a saving per step; its low end belongs to the high end of the time."""
        return Saving(
            max(0, self.before_ns - self.high_ns),
            max(0, self.before_ns - self.likely_ns),
            max(0, self.before_ns - self.low_ns),
            METHOD,
        )

    def self_check(self) -> None:
        """Raise AssertionError when the range is not ordered."""
        assert 0 <= self.low_ns <= self.likely_ns <= self.high_ns <= self.before_ns


def what_if(graph: DependencyGraph, edits: Sequence[Edit]) -> Prediction:
    """The time per step after all these edits together."""
    likely = _saved(graph, edits, View.LIKELY, typical=False)
    found = [_saved(graph, edits, view, typical=False) for view in (View.CAUTIOUS, View.BOLD)]
    found += [likely, _saved(graph, edits, View.LIKELY, typical=True)]
    error, noise = min(graph.calibration.error, 1.0), step_noise(graph)
    slack = (noise or 0) * graph.steps
    low = max(0, int(max(0, min(found)) * (1 - error)) - slack)
    high = int(np.ceil(max(found) * (1 + error)))
    high = min(graph.span_ns, high + slack) if high > 0 else 0
    before = round(graph.span_ns / graph.steps)
    fast, usual, slow = (max(0, before - round(s / graph.steps)) for s in (high, likely, low))
    return Prediction(before, fast, usual, slow, graph.calibration.error, noise)


def saving_without_sync(graph: DependencyGraph, rows: Sequence[int] | Ints) -> Saving:
    """What a step gains when these waits go.

    Args:
        rows: event rows of waiting runtime calls, or of operators, which stand for all waits
            inside them. For a read (`aten::item`) give the operator, because its copy and its
            stream wait both wait.
    """
    return what_if(graph, (WithoutWaits(tuple(int(row) for row in rows)),)).saving


def _saved(graph: DependencyGraph, edits: Sequence[Edit], view: View, typical: bool) -> int:
    """ns saved over all steps of the graph together, against the unedited graph in the same view."""
    if typical:
        before = graph.calibration.modelled_ns
    elif view is View.BOLD:
        before = graph.unqueued_ns
    else:
        before = graph.span_ns
    return before - _replayed(graph, edits, view, typical)


def _replayed(graph: DependencyGraph, edits: Sequence[Edit], view: View, typical: bool) -> int:
    draft = Draft(graph, view, typical)
    draft.apply(edits)
    return int(replay(*draft.outcome(), graph.entries).max()) - graph.begin_ns

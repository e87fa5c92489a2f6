"""What preparing and launching the operators of a step costs the host, whatever they compute.

One eager operator keeps the host 5 to 10 µs on CUDA: Python, the dispatcher, the launch. A step of
n operators therefore cannot be faster than n times that, unless they are compiled, fused or
replayed as a graph.
"""

from __future__ import annotations

from dataclasses import dataclass

from perfkit.analysis.steps import typical_step
from perfkit.base.errors import NotObservable
from perfkit.model.run import Run

LAUNCH_NS = (5_000, 7_000, 10_000)


@dataclass(frozen=True)
class LaunchLoad:
    """Launches of a step against the time the step takes.

    Attributes:
        launches: leaf operators per step.
        step_ns: median of the least distorted steps.
        floor_ns: low, likely and high cost of the launches alone on CUDA.
    """

    launches: float
    step_ns: int
    floor_ns: tuple[int, int, int]

    @property
    def ns_per_launch(self) -> int:
        return round(self.step_ns / self.launches) if self.launches else 0


def launch_load(run: Run) -> LaunchLoad:
    """The launches of a typical step.

    Raises:
        NotObservable: launches were not counted, or no step was timed.
    """
    if run.launches_per_step is None:
        raise NotObservable("operators were not counted")
    launches = run.launches_per_step
    low, likely, high = (round(launches * cost) for cost in LAUNCH_NS)
    return LaunchLoad(launches, typical_step(run).median_ns, (low, likely, high))

"""Whether memory in use grows from step to step.

Definition: over the ends of at least five steps behind the warm-up, the median of the differences,
where it is positive and all of them but one are at least half of it. A program whose batches differ in
size goes up and down and so does not grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from perfkit.base.errors import NotObservable
from perfkit.model.run import Run

_STEPS = 5


@dataclass(frozen=True)
class Growth:
    """What stays behind per step, 0 where nothing does; bytes at the first and the last of the steps."""

    per_step: int
    steps: int
    first_bytes: int
    last_bytes: int


def memory_growth(run: Run) -> Growth:
    """The growth over the steps behind the warm-up.

    Raises:
        NotObservable: the end of too few steps was looked at.
    """
    warm = {step.index for step in run.steps_measured("warm-up")}
    found = [n for index, n in run.memory.after if index not in warm] if run.memory else []
    if len(found) < _STEPS:
        raise NotObservable(
            f"memory in use was read after {len(found)} steps, growth takes {_STEPS} to be told"
        )
    changes = [after - before for before, after in pairwise(found)]
    typical = int(median(changes))
    odd = sum(change < typical / 2 for change in changes)
    grows = typical > 0 and odd <= 1
    return Growth(typical if grows else 0, len(found), found[0], found[-1])

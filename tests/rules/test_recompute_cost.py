"""recompute-cost: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from perfkit.base.errors import NotApplicable
from perfkit.model.memory import Held, Memory, StepMemory
from perfkit.model.run import Run
from perfkit.model.samples import Samples, Series
from perfkit.rules.recompute_cost import recompute_cost
from tests.analysis.test_recomputation import HERE, again, run
from tests.cost_rows import row
from tests.draw import US

GIB = 1 << 30


def holding(drawn: Run, peak: int, total: float) -> Run:
    held = (Held("parameters", peak, 1),)
    series = {"memory_total": Series("bytes", np.array([total]))}
    samples = Samples("device 0", np.zeros(1, np.int64), 0, series)
    return replace(drawn, memory=Memory(StepMemory(peak, held=held)), samples=(samples,))


def test_does_not_apply_without_checkpoints() -> None:
    for drawn in (Run("r"), run(row(us=10))):
        with pytest.raises(NotApplicable):
            recompute_cost(drawn)


def test_silent_below_a_thirtieth_of_the_work() -> None:
    assert recompute_cost(run(row(us=990), again(10))).findings == ()


def test_silent_where_the_activations_would_not_fit() -> None:
    looked = recompute_cost(holding(run(row(us=60), again(40)), 10 * GIB, 10.0 * GIB))
    assert looked.findings == ()
    assert looked.at.endswith("would not fit the device's memory")


def test_where_memory_is_free_most_of_the_time_is_a_saving() -> None:
    (finding,) = recompute_cost(holding(run(row(us=60), again(40)), GIB, 10.0 * GIB)).findings
    assert finding.title == (
        "Checkpoints compute 20 µs per step a second time, 40% of its work, most in Net.0"
    )
    assert finding.saving is not None
    saving = finding.saving
    assert (saving.low_ns, saving.likely_ns, saving.high_ns) == (10 * US, 16 * US, 20 * US)
    assert (finding.place, finding.confidence) == (HERE, "low")


def test_where_nobody_knows_what_fits_it_may_be_nothing() -> None:
    (finding,) = recompute_cost(run(row(us=60), again(40))).findings
    assert finding.saving is not None
    assert (finding.saving.low_ns, finding.saving.likely_ns) == (0, 10 * US)
    assert "whether it fits is not known" in finding.saving.method

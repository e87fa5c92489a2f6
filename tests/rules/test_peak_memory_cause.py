"""peak-memory-cause: silent cases first, then the bytes."""

from __future__ import annotations

import numpy as np
import pytest

from perfkit.base.errors import NotApplicable
from perfkit.model.memory import Category, Held, Memory, StepMemory
from perfkit.model.run import Run
from perfkit.model.samples import Samples, Series
from perfkit.model.syncs import Frame
from perfkit.rules.peak_memory_cause import _CALLED, _FIXES, peak_memory_cause

MIB = 1 << 20
HERE = Frame("/p/model.py", 88, "forward")


def run(*held: Held, total: float | None = None) -> Run:
    step = StepMemory(sum(h.nbytes for h in held), op="aten::mm", place=HERE, held=held)
    about: dict[str, object] = {"device": "pretend-cuda", "memory": Memory(step)}
    if total is not None:
        series = {"memory_total": Series("bytes", np.array([total]))}
        about = {**about, "device": "cuda"}
        about["samples"] = (Samples("device 0", np.zeros(1, np.int64), 0, series),)
    return Run("r", **about)  # type: ignore[arg-type]


def saved(nbytes: int, module: str = "Net.attention") -> Held:
    return Held("saved for backward", nbytes, 1, "aten::softmax", module, HERE)


def test_abstains_where_nobody_looked() -> None:
    with pytest.raises(NotApplicable):
        peak_memory_cause(Run("r"))


@pytest.mark.parametrize(
    ("peak", "total", "why"),
    [(255 * MIB, None, "small"), (400 * MIB, 900.0 * MIB, "the device has room")],
)
def test_silent(peak: int, total: float | None, why: str) -> None:
    assert peak_memory_cause(run(saved(peak), total=total)).findings == (), why


def test_the_largest_part_is_told_with_the_line_that_holds_most_of_it() -> None:
    held = saved(200 * MIB), Held("parameters", 180 * MIB, 9), saved(20 * MIB, "Net.head")
    (finding,) = peak_memory_cause(run(*held)).findings
    assert finding.title == (
        "220 MiB of 400 MiB alive at the peak are activations saved for the backward, "
        "200 MiB of them by Net.attention at model.py:88"
    )
    assert (finding.place, finding.saving, finding.confidence) == (HERE, None, "low")
    assert finding.evidence["parameters_bytes"] == 180 * MIB
    assert finding.evidence["at"] == "aten::mm at model.py:88"


def test_what_has_no_line_is_placed_where_the_peak_is() -> None:
    (finding,) = peak_memory_cause(run(Held("optimizer state", 400 * MIB, 3), total=5e8)).findings
    assert finding.title == "400 MiB of 400 MiB alive at the peak are the optimizer's state"
    assert (finding.place, finding.confidence) == (HERE, "likely")
    assert finding.evidence["device_bytes"] == 5e8


def test_every_category_has_a_name_and_a_remedy() -> None:
    assert set(_CALLED) == set(_FIXES) == set(Category.__args__)  # type: ignore[attr-defined]

"""dtype-casts-in-loop: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.operands import Operands
from perfkit.model.run import Run
from perfkit.rules.dtype_casts_in_loop import (
    FIX,
    FIX_AUTOCAST,
    FIX_INFERENCE,
    dtype_casts_in_loop,
)
from tests.cost_rows import GPU, row
from tests.rules.operand_runs import HERE, TB_PER_S, run, saved

CAST = Operands(
    "cast", "aten::_to_copy", (512, 512), "float32 to bfloat16", 5, repeated=4,
    nbytes=50 * TB_PER_S, phase="forward", place=HERE,
)  # fmt: skip


def test_abstains_where_nobody_looked() -> None:
    with pytest.raises(NotApplicable):
        dtype_casts_in_loop(Run("empty"))
    with pytest.raises(NotObservable, match="when this run was recorded"):
        dtype_casts_in_loop(run(operands=None))
    with pytest.raises(NotObservable, match="a trace"):
        dtype_casts_in_loop(run(operands=None, source="trace"))
    with pytest.raises(NotObservable, match="bandwidth"):
        dtype_casts_in_loop(run(CAST, peaks=replace(GPU, bandwidth=None)))


@pytest.mark.parametrize(
    "cast",
    [
        replace(CAST, repeated=0),
        replace(CAST, nbytes=6 * TB_PER_S),
        replace(CAST, repeated=0, of_parameter=True),
        replace(CAST, aspect="layout"),
    ],
    ids=["other tensors each time", "a sliver of the step", "weights that learn", "no cast"],
)
def test_silent(cast: Operands) -> None:
    assert dtype_casts_in_loop(run(cast)).findings == ()


def test_repeated_casts_save_their_bytes_and_launches() -> None:
    (finding,) = dtype_casts_in_loop(run(CAST)).findings
    assert saved(finding) == (20_000, 40_000, 40_000)
    assert (finding.place, finding.fix) == (HERE, FIX)
    assert finding.title == ("4 casts per step repeat earlier ones: float32 to bfloat16, 38.1 MiB")


def test_weights_cast_again_in_training_want_one_autocast() -> None:
    (finding,) = dtype_casts_in_loop(run(replace(CAST, of_parameter=True))).findings
    assert finding.fix == FIX_AUTOCAST
    assert finding.title.startswith("4 casts of weights per step repeat earlier ones: ")


def test_weights_that_do_not_learn_need_no_cast_at_all() -> None:
    weights = replace(CAST, repeated=0, of_parameter=True)
    (finding,) = dtype_casts_in_loop(run(weights, costs=(row(),))).findings
    assert (finding.evidence["repeated_per_step"], finding.fix) == (5.0, FIX_INFERENCE)
    assert finding.title.startswith("5 casts per step are of weights that do not change: ")

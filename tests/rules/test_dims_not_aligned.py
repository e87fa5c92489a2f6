"""dims-not-aligned: silent cases first, then exact numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotApplicable
from perfkit.io.chrome import read_trace
from perfkit.model.diagnosis import Finding
from perfkit.rules.dims_not_aligned import dims_not_aligned
from tests.cost_rows import product, row
from tests.kineto_traces import needs_corpus
from tests.rules.product_runs import HERE, run

ODD = "f32[512,63] x f32[63,1001]"
ALLOWED = {"float32 products": "high"}


def found(*costs: object, **fields: object) -> tuple[Finding, ...]:
    return dims_not_aligned(run(*costs, **fields)).findings


def half(signature: str, us: float = 400, **fields: object) -> object:
    return product(us=us, dtype="bfloat16", signature=signature, **fields)


def test_abstains_without_products() -> None:
    with pytest.raises(NotApplicable):
        found(row())


@pytest.mark.parametrize(
    "cost",
    [
        half("bf16[512,64] x bf16[64,512]"),
        half("bf16[512,63] x bf16[63,1001]", us=70),
        product(us=50, signature=ODD),
    ],
    ids=["even sides", "a small part of the step", "beside tensor cores, which another rule tells"],
)
def test_silent(cost: object) -> None:
    assert found(cost) == ()


def test_odd_sides_are_told_with_what_is_known() -> None:
    (finding,) = found(half("bf16[512,63] x bf16[63,1001]", place=HERE))
    assert finding.saving is not None
    assert (finding.saving.low_ns, finding.saving.likely_ns, finding.saving.high_ns) == (
        0,
        2_500,
        12_500,
    )
    assert (finding.place, finding.evidence["sides"]) == (HERE, "63, 1001")
    assert finding.confidence == "low"


def test_float32_wants_multiples_of_four_where_tf32_is_allowed() -> None:
    assert found(product(us=400, signature="f32[512,60] x f32[60,1004]"), env=ALLOWED) == ()
    (finding,) = found(product(us=400, signature=ODD), env=ALLOWED)
    assert finding.evidence["sides"] == "63, 1001"


@pytest.mark.slow
@needs_corpus("h100_owlv2_large")
def test_a_real_trace_with_an_odd_number_of_patches(trace: Path) -> None:
    (finding,) = dims_not_aligned(trace_run(read_trace(trace), "owlv2")).findings
    assert finding.evidence["sides"] == "5185"
    assert str(finding.evidence["module"]).endswith("Owlv2Attention")

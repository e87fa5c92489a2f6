"""tensor-cores-unused: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding
from perfkit.model.run import Run
from perfkit.model.syncs import Frame
from perfkit.rules.tensor_cores_unused import tensor_cores_unused
from tests.cost_rows import CPU, GPU, product, row, unknown
from tests.draw import US, draw

HERE = Frame("/p/model.py", 7, "forward")


def run(*costs: object, **fields: object) -> Run:
    """A step of 100 µs on the GPU of round numbers."""
    picture = f"step  {'b' * 100}"
    about = {"device": "cuda", "peaks": GPU, "costs": costs, "costed_steps": 1}
    return draw(picture, **{**about, **fields})


def found(*costs: object, **fields: object) -> tuple[Finding, ...]:
    return tensor_cores_unused(run(*costs, **fields)).findings


def test_abstains_without_products_with_a_cost() -> None:
    with pytest.raises(NotApplicable, match="no matrix product"):
        found(row(), unknown())


def test_abstains_where_only_a_cpu_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perfkit.analysis.run_floors.REFERENCES", ())
    with pytest.raises(NotObservable, match="no GPU"):
        found(product(), device="cpu", peaks=CPU)


def test_silent_where_tf32_is_allowed_already() -> None:
    assert found(product(us=50), env={"float32 products": "high"}) == ()


def test_silent_on_narrow_products_with_even_sides() -> None:
    even = product(us=50, dtype="bfloat16", signature="bf16[512,64] x bf16[64,512]")
    assert found(even) == ()


def test_silent_where_products_are_a_small_part_of_the_step() -> None:
    assert found(product(us=4.9)) == ()


def test_silent_on_a_step_that_waits_for_its_launches() -> None:
    fields = {"device": "pretend-cuda", "peaks": None, "launches_per_step": 1000.0}
    assert found(product(us=5), **fields) == ()


def test_silent_on_a_device_that_takes_float32_products_as_they_are() -> None:
    full = replace(GPU, matmul={**GPU.matmul, "float32": GPU.matmul["tf32"]})
    assert found(product(us=50), peaks=full) == ()


def small(us: int, **fields: object) -> object:
    """A bf16 product of 32 tiles at most, bound by arithmetic."""
    about = {"dtype": "bfloat16", "signature": "bf16[512,128] x bf16[128,256]"}
    amounts = {"flops": 2 * 512 * 128 * 256, "device_ns": us * US, "place": HERE}
    return product(**{**about, **amounts, **fields})


WIDE = replace(GPU, compute_units=128)


@pytest.mark.parametrize(
    ("cost", "peaks"),
    [
        (small(50), GPU),
        (small(50), replace(GPU, compute_units=32)),
        (small(4), WIDE),
        (small(50, read=10**9), WIDE),
        (small(50, op="aten::convolution"), WIDE),
        (small(50, signature="bf16[512,128] x bf16[128,255]", flops=7), WIDE),
    ],
    ids=["units unknown", "enough tiles", "a small part of the step", "bound by memory",
         "sizes not read", "sides told already"],
)  # fmt: skip
def test_silent_on_the_size_of_products(cost, peaks) -> None:
    assert not any("at best" in finding.title for finding in found(cost, peaks=peaks))


def test_products_told_for_their_dtype_are_not_told_again_for_their_size() -> None:
    (finding,) = found(small(50, dtype="float32"), peaks=WIDE)
    assert "float32" in finding.title


def test_small_products_are_told_with_the_range_of_what_they_fill() -> None:
    (finding,) = found(small(40), peaks=WIDE)
    assert finding.title == "Matrix products fill 25% of GPU's 128 units at best"
    assert (finding.evidence["filled at worst"], finding.evidence["filled at best"]) == (
        4 / 128,
        32 / 128,
    )
    assert finding.saving is not None
    assert (finding.saving.low_ns, finding.saving.likely_ns, finding.saving.high_ns) == (
        0,
        6 * US,
        30 * US,
    )
    assert (finding.place, finding.confidence) == (HERE, "low")


def test_float32_products_save_what_their_roofline_does() -> None:
    (finding,) = found(product(us=40, device_ns=80 * US, place=HERE, calls=3))
    assert finding.saving is not None
    assert (finding.saving.low_ns, finding.saving.likely_ns, finding.saving.high_ns) == (
        14 * US,
        35 * US,
        70 * US,
    )
    assert finding.place == HERE
    assert finding.confidence == "likely"
    assert finding.evidence["products"] == 3.0
    assert finding.title == (
        "Matrix products in float32 take 80 µs per step beside the tensor cores of GPU"
    )


def test_odd_sides_of_narrow_products_are_told_with_what_is_known() -> None:
    odd = product(us=400, dtype="bfloat16", signature="bf16[512,63] x bf16[63,1001]", place=HERE)
    (finding,) = found(odd)
    assert finding.saving is not None
    assert (finding.saving.low_ns, finding.saving.likely_ns, finding.saving.high_ns) == (
        0,
        2_500,
        12_500,
    )
    assert finding.evidence["sides"] == "63, 1001"
    assert finding.confidence == "low"

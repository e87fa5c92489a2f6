"""tensor-cores-unused: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding
from perfkit.rules.dims_not_aligned import dims_not_aligned
from perfkit.rules.fp32_matmul_without_tf32 import fp32_matmul_without_tf32
from perfkit.rules.tensor_cores_unused import tensor_cores_unused
from tests.cost_rows import CPU, GPU, product, row, unknown
from tests.draw import US
from tests.rules.product_runs import HERE, run, traced

WIDE = replace(GPU, compute_units=128)


def found(*costs: object, **fields: object) -> tuple[Finding, ...]:
    return tensor_cores_unused(run(*costs, **fields)).findings


def saved(finding: Finding) -> tuple[int, int, int]:
    assert finding.saving is not None
    return finding.saving.low_ns, finding.saving.likely_ns, finding.saving.high_ns


def small(us: int, **fields: object) -> object:
    """A bf16 product of 32 tiles at most, bound by arithmetic."""
    about = {"dtype": "bfloat16", "signature": "bf16[512,128] x bf16[128,256]"}
    amounts = {"flops": 2 * 512 * 128 * 256, "device_ns": us * US, "place": HERE}
    return product(**{**about, **amounts, **fields})


def test_abstains_without_products_with_a_cost() -> None:
    with pytest.raises(NotApplicable, match="no matrix product"):
        found(row(), unknown())


def test_abstains_where_only_a_cpu_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perfkit.analysis.run_floors.REFERENCES", ())
    with pytest.raises(NotObservable, match="no GPU"):
        found(product(), device="cpu", peaks=CPU)


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
    assert found(cost, peaks=peaks) == ()


@pytest.mark.parametrize(
    "cost",
    [small(50, dtype="float32"), small(50, signature="bf16[512,127] x bf16[127,256]")],
    ids=["float32 beside TF32", "odd sides"],
)
def test_no_product_is_told_by_two_rules(cost) -> None:
    step = run(cost, peaks=WIDE)
    told = [rule(step).findings for rule in (fp32_matmul_without_tf32, dims_not_aligned)]
    assert sum(map(len, told)) == 1
    assert tensor_cores_unused(step).findings == ()


@pytest.mark.parametrize(
    ("kernel", "why"),
    [
        ("sm90_xmma_gemm_bf16bf16_bf16f32", "on tensor cores"),
        ("ampere_sgemm_128x64_nn", "float32 where TF32 was never seen: another rule tells it"),
        ("gemv2T_kernel_val", "moves memory"),
        ("elementwise_kernel", "no product"),
    ],
)
def test_silent_on_kernels(kernel: str, why: str) -> None:
    cost = small(10, device_ns=10 * US)
    assert tensor_cores_unused(traced(kernel, cost)).findings == (), why


def test_small_products_are_told_with_the_range_of_what_they_fill() -> None:
    (finding,) = found(small(40), peaks=WIDE)
    assert finding.title == "Matrix products fill 25% of GPU's 128 units at best"
    assert (finding.evidence["filled at worst"], finding.evidence["filled at best"]) == (
        4 / 128,
        32 / 128,
    )
    assert saved(finding) == (0, 6 * US, 30 * US)
    assert (finding.place, finding.confidence) == (HERE, "low")


def test_kernels_that_are_named_after_other_units_are_told() -> None:
    (finding,) = tensor_cores_unused(traced("turing_hgemm_128x64_nn", small(10))).findings
    assert finding.title == "Kernels of products take 10 µs per step beside the tensor cores of GPU"
    assert saved(finding) == (0, 1_750, 8_750)
    assert finding.evidence["first_op"] == "aten::mm"

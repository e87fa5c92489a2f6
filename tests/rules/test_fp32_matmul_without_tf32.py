"""fp32-matmul-without-tf32: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.diagnosis import Finding
from perfkit.rules.fp32_matmul_without_tf32 import fp32_matmul_without_tf32
from tests.cost_rows import CPU, GPU, product, row, unknown
from tests.draw import US
from tests.rules.product_runs import HERE, run, traced


def found(*costs: object, **fields: object) -> tuple[Finding, ...]:
    return fp32_matmul_without_tf32(run(*costs, **fields)).findings


def saved(finding: Finding) -> tuple[int, int, int]:
    assert finding.saving is not None
    return finding.saving.low_ns, finding.saving.likely_ns, finding.saving.high_ns


def test_abstains_without_products_with_a_cost() -> None:
    with pytest.raises(NotApplicable, match="no matrix product"):
        found(row(), unknown())


def test_abstains_where_only_a_cpu_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perfkit.analysis.run_floors.REFERENCES", ())
    with pytest.raises(NotObservable, match="no GPU"):
        found(product(), device="cpu", peaks=CPU)


def test_abstains_on_kernels_of_a_gpu_that_is_not_known() -> None:
    with pytest.raises(NotObservable, match="not known"):
        fp32_matmul_without_tf32(traced("ampere_sgemm_128x64_nn", peaks=None))


def test_abstains_on_a_trace_without_shapes_whose_kernels_name_no_product() -> None:
    with pytest.raises(NotApplicable, match="record_shapes"):
        fp32_matmul_without_tf32(traced("gemv2T_kernel_val", op="aten::mv"))


def test_silent_where_tf32_is_allowed_already() -> None:
    assert found(product(us=50), env={"float32 products": "high"}) == ()


def test_silent_on_convolutions_which_use_tf32_unless_forbidden() -> None:
    assert found(product(us=50, op="aten::convolution"), product(us=1)) == ()


def test_silent_where_products_are_a_small_part_of_the_step() -> None:
    assert found(product(us=4.9)) == ()


def test_silent_on_a_step_that_waits_for_its_launches() -> None:
    fields = {"device": "pretend-cuda", "peaks": None, "launches_per_step": 1000.0}
    assert found(product(us=5), **fields) == ()


def test_silent_on_a_device_that_takes_float32_products_as_they_are() -> None:
    full = replace(GPU, matmul={**GPU.matmul, "float32": GPU.matmul["tf32"]})
    assert found(product(us=50), peaks=full) == ()


@pytest.mark.parametrize(
    ("kernel", "op"),
    [
        ("cutlass_80_tensorop_s1688gemm_128x128_nn", "aten::mm"),
        ("cutlass_80_tensorop_bf16_s16816gemm_64x64", "aten::mm"),
        ("ampere_scudnn_128x64_relu", "aten::cudnn_convolution"),
    ],
    ids=["TF32", "16-bit", "a convolution"],
)
def test_silent_on_kernels(kernel: str, op: str) -> None:
    assert fp32_matmul_without_tf32(traced(kernel, op=op)).findings == ()


def test_one_product_in_tf32_tells_that_it_is_allowed() -> None:
    kernel = "cutlass_80_tensorop_s1688gemm_128x128_nn"
    looked = fp32_matmul_without_tf32(traced(kernel, product(us=50)))
    assert looked.findings == ()
    assert looked.at.startswith("TF32 is allowed; ")


def test_products_save_what_their_roofline_does() -> None:
    (finding,) = found(product(us=40, device_ns=80 * US, place=HERE, calls=3))
    assert saved(finding) == (14 * US, 35 * US, 70 * US)
    assert (finding.place, finding.confidence) == (HERE, "likely")
    assert finding.evidence["products"] == 3.0
    assert finding.title == (
        "Matrix products in float32 take 80 µs per step beside the tensor cores of GPU"
    )


def test_a_trace_without_shapes_is_judged_by_its_kernels() -> None:
    (finding,) = fp32_matmul_without_tf32(traced("ampere_sgemm_128x64_nn")).findings
    assert saved(finding) == (1_750, 4_375, 8_750)
    assert finding.evidence["first"] == "ampere_sgemm_128x64_nn"

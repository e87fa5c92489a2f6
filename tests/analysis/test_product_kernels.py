"""What kernels of products compute with, told by names that real traces hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfkit.analysis.product_kernels import product_kernels, summed_ns, units_of
from perfkit.io.chrome import read_trace
from tests.kineto_traces import needs_corpus
from tests.trace_pictures import US, trace


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("void at::native::elementwise_kernel<128, 4>", None),
        ("std::enable_if<!(false), void>::type internal::gemvx::kernel<int, __nv_bfloat16>", None),
        ("ampere_dgemm_64x64_nn", None),
        ("ncclKernel_AllReduce_RING_LL_Sum_float", None),
        ("sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64", "tensor cores"),
        ("void cutlass::Kernel2<cutlass_75_tensorop_bf16_s1688gemm_bf16_256x128>", "tensor cores"),
        ("nvjet_tst_64x64_64x16_2x1_2cta_v_bz_bias_TNT", "tensor cores"),
        ("Cijk_Alik_Bljk_BBS_BH_Bias_HA_S_SAV_UserArgs_MT256x192x64_MI16x16x1_SN", "tensor cores"),
        ("volta_fp16_s884gemm_fp16_128x64_ldg8_f2f_nn", "tensor cores"),
        ("void cutlass::Kernel<cutlass_80_tensorop_s1688gemm_256x64_16x4_nn_align4>", "TF32"),
        ("sm80_xmma_fprop_implicit_gemm_indexed_tf32f32_tf32f32_f32_nhwckrsc_nchw", "TF32"),
        ("ampere_sgemm_32x32_sliced1x4_tn", "float32"),
        ("void cutlass::Kernel2<cutlass_80_simt_sgemm_128x32_8x5_nn_align1>", "float32"),
        ("cudnn_infer_volta_scudnn_128x64_relu_medium_nn_v1", "float32"),
        ("turing_hgemm_128x64_nn", "narrow"),
    ],
)
def test_names(name: str, units: str | None) -> None:
    assert units_of(name) == units


def test_convolutions_are_told_apart_and_times_are_per_step() -> None:
    found = product_kernels(
        trace("""
        step  ssssssssss.ssssssssss
        op    aa.bb......aa....... a=aten::mm b=aten::cudnn_convolution
        call  l..m.......l........ l=cudaLaunchKernel m=cudaLaunchKernel
        gpu   .kkk.nnn....k....... k=ampere_sgemm_nn n=ampere_scudnn_nn
        """)
    )
    assert found.steps == 2
    assert found.time_ns("float32", convolutions=False) == 2 * US
    (conv,) = found.of("float32", "TF32", convolutions=True)
    assert (conv.op, summed_ns((conv,))) == ("aten::cudnn_convolution", 3 * US)
    assert found.of("tensor cores", convolutions=False) == ()


def test_nothing_without_device_work() -> None:
    assert product_kernels(trace("step ssss\nop  .aa. a=aten::mm")).by_units == ()


@needs_corpus("a100_alexnet")
def test_a_real_trace_whose_convolutions_use_tf32_and_whose_products_do_not(trace: Path) -> None:
    found = product_kernels(read_trace(trace))
    assert found.of("TF32", convolutions=True)
    assert found.of("TF32", convolutions=False) == ()
    assert found.time_ns("float32", convolutions=False) > 2_000_000

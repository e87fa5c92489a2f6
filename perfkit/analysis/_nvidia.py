"""NVIDIA's devices. TFLOP/s, GB/s, MHz as the named documents state them; pairs are dense and sparse.

Where a sheet states sparse figures only and says that dense is half, dense is that half. Products in
16 bits accumulate in float32, as torch has it: GeForce boards do that at half their advertised rate.
In a group the first sheet is what a bare model name is taken for.
"""

from __future__ import annotations

from dataclasses import replace

from perfkit.analysis._sheets import Architecture, Figure, Sheet, words

_VOLTA = Architecture(
    "Volta", "NVIDIA Tesla V100 GPU Architecture white paper (2017)", {"float16": 2}
)
_TURING = Architecture(
    "Turing", "NVIDIA Turing GPU Architecture white paper (2018)", {"float16": 2, "float64": 1 / 32}
)
_AMPERE = Architecture(
    "Ampere GA100",
    "NVIDIA A100 Tensor Core GPU Architecture white paper (2020)",
    {"float16": 4, "bfloat16": 2},
)
_GA10X = Architecture(
    "Ampere GA10x",
    "NVIDIA Ampere GA102 GPU Architecture white paper (2021)",
    {"float16": 1, "bfloat16": 1, "float64": 1 / 64},
)
_ADA = Architecture(
    "Ada",
    "NVIDIA Ada GPU Architecture white paper (2022)",
    {"float16": 1, "bfloat16": 1, "float64": 1 / 64},
)
_HOPPER = Architecture(
    "Hopper",
    "NVIDIA H100 Tensor Core GPU Architecture white paper (2023)",
    {"float16": 2, "bfloat16": 2},
)
_BLACKWELL = Architecture("Blackwell", "NVIDIA Blackwell Architecture Technical Brief (2024)")
_RTX_BLACKWELL = Architecture(
    "RTX Blackwell",
    "NVIDIA RTX Blackwell GPU Architecture white paper (2025)",
    {"float16": 1, "bfloat16": 1, "float64": 1 / 64},
)


def _matrix(
    half: Figure,
    tf32: Figure | None = None,
    int8: Figure | None = None,
    fp8: Figure | None = None,
    fp64: float | None = None,
    fp4: Figure | None = None,
) -> dict[str, Figure]:
    """By torch's dtype names: `half` is float16 and bfloat16, `fp8` both formats."""
    named = {
        "float64": fp64, "tf32": tf32, "float16": half, "bfloat16": half,
        "float8_e4m3fn": fp8, "float8_e5m2": fp8, "int8": int8, "float4_e2m1fn_x2": fp4,
    }  # fmt: skip
    return {dtype: figure for dtype, figure in named.items() if figure is not None}


def _vector(fp32: float, fp64: float | None = None) -> dict[str, float]:
    return {"float32": fp32} if fp64 is None else {"float32": fp32, "float64": fp64}


_V100 = Sheet(
    "NVIDIA V100 SXM2", "v100", _VOLTA, "NVIDIA Tesla V100 data sheet (2018)",
    {"float16": 125.0}, _vector(15.7, 7.8), 900, 80, (1530, 1530), 3, 300,
    words("sxm sxm2 16gb 32gb hbm2"),
)  # fmt: skip
_A100 = Sheet(
    "NVIDIA A100 SXM 80GB", "a100", _AMPERE, "NVIDIA A100 Tensor Core GPU data sheet (2021)",
    _matrix((312.0, 624.0), tf32=(156.0, 312.0), int8=(624.0, 1248.0), fp64=19.5),
    _vector(19.5, 9.7), 2039, 108, (1410, 1410), 4, 600, words("sxm sxm4 80gb hbm2e"),
)  # fmt: skip
_A800_SHEET = "NVIDIA A800 Tensor Core GPU data sheet (2022)"
_H100 = Sheet(
    "NVIDIA H100 SXM", "h100", _HOPPER,
    "NVIDIA H100 Tensor Core GPU Architecture white paper (2023)",
    _matrix(
        (989.4, 1978.9), tf32=(494.7, 989.4), int8=(1978.9, 3957.8), fp8=(1978.9, 3957.8), fp64=66.9
    ),
    _vector(66.9, 33.5), 3352, 132, (1830, 1980), 5, 900, words("sxm sxm5 80gb hbm3"),
)  # fmt: skip
_H100_PCIE = replace(
    _H100,
    device="NVIDIA H100 PCIe",
    matmul=_matrix(
        (756.0, 1513.0), tf32=(378.0, 756.0), int8=(1513.0, 3026.0), fp8=(1513.0, 3026.0), fp64=51.2
    ),
    vector=_vector(51.2, 25.6), bandwidth=2039, units=114, mhz=(1620, 1755), link=600,
    words=words("pcie 80gb hbm2e"),
)  # fmt: skip
_H100_NVL = replace(
    _H100,
    device="NVIDIA H100 NVL",
    source="NVIDIA H100 Tensor Core GPU data sheet (2024)",
    matmul=_matrix(
        (835.5, 1671.0), tf32=(417.5, 835.0), int8=(1670.5, 3341.0), fp8=(1670.5, 3341.0), fp64=60.0
    ),
    vector=_vector(60.0, 30.0), bandwidth=3900, mhz=None, link=600, words=words("nvl 94gb hbm3"),
)  # fmt: skip
_H200_SHEET = "NVIDIA H200 Tensor Core GPU data sheet (2024)"
_H800_SHEET = "NVIDIA H800 Tensor Core GPU data sheet (2023), not published outside China"
_L40 = Sheet(
    "NVIDIA L40", "l40", _ADA, "NVIDIA L40 data sheet (2022)",
    _matrix((181.05, 362.1), tf32=(90.5, 181.0), int8=(362.0, 724.0), fp8=(362.0, 724.0)),
    _vector(90.5), 864, 142, (2490, 2490), 4, None, words("48gb pcie"),
)  # fmt: skip
_B200_MATRIX = _matrix(
    (2250.0, 4500.0), tf32=(1100.0, 2200.0), int8=(4500.0, 9000.0), fp8=(4500.0, 9000.0),
    fp64=37.0, fp4=(9000.0, 18000.0),
)  # fmt: skip

NVIDIA: tuple[Sheet, ...] = (
    _V100,
    replace(
        _V100, device="NVIDIA V100 PCIe", matmul={"float16": 112.0}, vector=_vector(14.0, 7.0),
        mhz=(1380, 1380), link=None, words=words("pcie 16gb 32gb hbm2"),
    ),
    replace(
        _V100, device="NVIDIA V100S PCIe", model="v100s", matmul={"float16": 130.0},
        source="NVIDIA V100 Tensor Core GPU data sheet (2020)", vector=_vector(16.4, 8.2),
        bandwidth=1134, mhz=(1597, 1597), link=None, words=words("pcie 32gb hbm2"),
    ),
    Sheet(
        "NVIDIA T4", "t4", _TURING, "NVIDIA T4 data sheet (2019)",
        {"float16": 65.0, "int8": 130.0}, _vector(8.1), 320, 40, (1590, 1590), 3, None,
        words("16gb pcie"),
    ),
    Sheet(
        "NVIDIA A10", "a10", _GA10X, "NVIDIA A10 Tensor Core GPU data sheet (2021)",
        _matrix((125.0, 250.0), tf32=(62.5, 125.0), int8=(250.0, 500.0)),
        _vector(31.2), 600, 72, (1695, 1695), 4, None, words("24gb pcie"),
    ),
    Sheet(
        "NVIDIA A30", "a30", replace(_AMPERE, ratios={}),
        "NVIDIA A30 Tensor Core GPU data sheet (2021)",
        _matrix((165.0, 330.0), tf32=(82.0, 165.0), int8=(330.0, 661.0), fp64=10.3),
        _vector(10.3, 5.2), 933, 56, (1440, 1440), 4, 200, words("24gb pcie hbm2"),
    ),
    Sheet(
        "NVIDIA A40", "a40", _GA10X, "NVIDIA A40 data sheet (2021)",
        _matrix((149.7, 299.4), tf32=(74.8, 149.6), int8=(299.3, 598.6)),
        _vector(37.4), 696, 84, (1740, 1740), 4, 112.5, words("48gb pcie"),
    ),
    _A100,
    replace(
        _A100, device="NVIDIA A100 PCIe 80GB", bandwidth=1935, words=words("pcie 80gb hbm2e"),
    ),
    replace(
        _A100, device="NVIDIA A100 SXM 40GB", bandwidth=1555,
        words=words("sxm sxm4 40gb hbm2 pg509 200"),
    ),
    replace(_A100, device="NVIDIA A100 PCIe 40GB", bandwidth=1555, words=words("pcie 40gb hbm2")),
    replace(_A100, device="NVIDIA A800 SXM 80GB", model="a800", source=_A800_SHEET, link=400),
    replace(
        _A100, device="NVIDIA A800 PCIe 80GB", model="a800", source=_A800_SHEET, link=400,
        bandwidth=1935, words=words("pcie 80gb hbm2e"),
    ),
    _H100,
    _H100_PCIE,
    _H100_NVL,
    replace(
        _H100, device="NVIDIA H800 SXM", model="h800", source=_H800_SHEET, link=400,
        matmul={**_H100.matmul, "float64": 1.0}, vector=_vector(66.9, 1.0),
    ),
    replace(
        _H100_PCIE, device="NVIDIA H800 PCIe", model="h800", source=_H800_SHEET, link=400,
        matmul={**_H100_PCIE.matmul, "float64": 0.8}, vector=_vector(51.2, 0.8),
    ),
    Sheet(
        "NVIDIA H20", "h20", replace(_HOPPER, ratios={}),
        "no public data sheet: figures that sellers of HGX H20 systems state (2024)",
        _matrix(148.0, tf32=74.0, int8=296.0, fp8=296.0, fp64=1.0),
        _vector(44.0, 1.0), 4000, 78, None, 5, 900, words("96gb hbm3 sxm sxm5"),
    ),
    replace(
        _H100, device="NVIDIA H200 SXM", model="h200", source=_H200_SHEET, bandwidth=4800,
        words=words("sxm sxm5 141gb hbm3e"), driver="NVIDIA H200",
    ),
    replace(
        _H100_NVL, device="NVIDIA H200 NVL", model="h200", source=_H200_SHEET, bandwidth=4800,
        link=900, words=words("nvl 141gb hbm3e"),
    ),
    Sheet(
        "NVIDIA B100", "b100", _BLACKWELL, _BLACKWELL.paper,
        _matrix(
            (1750.0, 3500.0), tf32=(900.0, 1800.0), int8=(3500.0, 7000.0), fp8=(3500.0, 7000.0),
            fp64=30.0, fp4=(7000.0, 14000.0),
        ),
        _vector(60.0, 30.0), 8000, None, None, 5, 1800, words("sxm 192gb hbm3e"),
    ),
    Sheet(
        "NVIDIA B200", "b200", _BLACKWELL,
        "NVIDIA HGX B200 specifications (2025), an eighth of eight", _B200_MATRIX,
        _vector(75.0, 37.0), 8000, 148, None, 5, 1800, words("sxm sxm6 180gb 192gb hbm3e"),
    ),
    Sheet(
        "NVIDIA GB200", "gb200", _BLACKWELL,
        "NVIDIA GB200 NVL72 specifications (2025), a 72nd of 72, one GPU",
        _matrix(
            (2500.0, 5000.0), tf32=(1250.0, 2500.0), int8=(5000.0, 10000.0),
            fp8=(5000.0, 10000.0), fp64=40.0, fp4=(10000.0, 20000.0),
        ),
        _vector(80.0, 40.0), 8000, 148, None, None, 1800, words("nvl72 nvl4 192gb 186gb hbm3e"),
    ),
    Sheet(
        "NVIDIA L4", "l4", _ADA, "NVIDIA L4 data sheet (2023)",
        _matrix((121.0, 242.0), tf32=(60.0, 120.0), int8=(242.5, 485.0), fp8=(242.5, 485.0)),
        _vector(30.3), 300, 58, (2040, 2040), 4, None, words("24gb pcie"),
    ),
    _L40,
    replace(
        _L40, device="NVIDIA L40S", model="l40s", source="NVIDIA L40S data sheet (2023)",
        matmul=_matrix(
            (362.05, 733.0), tf32=(183.0, 366.0), int8=(733.0, 1466.0), fp8=(733.0, 1466.0)
        ),
        vector=_vector(91.6), mhz=(2520, 2520),
    ),
    Sheet(
        "NVIDIA GeForce RTX 3090", "3090", _GA10X, _GA10X.paper,
        _matrix((71.0, 142.0), tf32=(35.6, 71.0), int8=(284.0, 568.0)),
        _vector(35.6), 936, 82, (1695, 1695), 4, 112.5, words("24gb"),
    ),
    Sheet(
        "NVIDIA GeForce RTX 4090", "4090", _ADA, _ADA.paper,
        _matrix(
            (165.2, 330.4), tf32=(82.6, 165.2), int8=(660.6, 1321.2), fp8=(330.3, 660.6)
        ),
        _vector(82.6), 1008, 128, (2520, 2520), 4, None, words("24gb"),
    ),
    Sheet(
        "NVIDIA GeForce RTX 5090", "5090", _RTX_BLACKWELL, _RTX_BLACKWELL.paper,
        _matrix(
            (209.5, 419.0), tf32=(104.8, 209.5), int8=(838.0, 1676.0), fp8=(419.0, 838.0),
            fp4=(1676.0, 3352.0),
        ),
        _vector(104.8), 1792, 170, (2407, 2407), 5, None, words("32gb"),
    ),
    Sheet(
        "NVIDIA RTX A6000", "a6000", _GA10X, _GA10X.paper,
        _matrix((154.8, 309.7), tf32=(77.4, 154.8), int8=(309.7, 619.4)),
        _vector(38.7), 768, 84, (1800, 1800), 4, 112.5, words("48gb"),
    ),
    Sheet(
        "NVIDIA RTX 6000 Ada Generation", "6000", _ADA,
        "NVIDIA RTX 6000 Ada Generation data sheet (2023)",
        _matrix((364.2, 728.5), tf32=(182.1, 364.2), int8=(728.5, 1457.0), fp8=(728.5, 1457.0)),
        _vector(91.1), 960, 142, (2505, 2505), 4, None, words("48gb"), needs=words("ada"),
    ),
)  # fmt: skip

"""AMD's devices. TFLOP/s, GB/s, MHz (peak engine clock) as the named documents state them.

Vector figures are those of plain instructions; packed 16-bit rates are on none of these sheets and
stay unknown. `float32` products have matrix units of their own here, so they are in `matmul`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from perfkit.analysis._sheets import Architecture, Figure, Sheet, words

_CDNA1 = Architecture("CDNA", "Introducing AMD CDNA Architecture white paper (2020)")
_CDNA2 = Architecture("CDNA 2", "Introducing AMD CDNA 2 Architecture white paper (2021)")
_CDNA3 = Architecture("CDNA 3", "Introducing AMD CDNA 3 Architecture white paper (2023)")
_CDNA4 = Architecture("CDNA 4", "Introducing AMD CDNA 4 Architecture white paper (2025)")


def _matrix(
    fp64: float, fp32: float, half: Figure, int8: Figure, **more: Figure
) -> dict[str, Figure]:
    return {
        "float64": fp64, "float32": fp32, "float16": half, "bfloat16": half, "int8": int8, **more
    }  # fmt: skip


def _eight(figure: Figure, formats: str) -> Mapping[str, Figure]:
    """Both 8-bit formats: with `fnuz` up to CDNA 3, the Open Compute Project's since."""
    return {f"float8_{name}": figure for name in formats.split()}


_FNUZ, _OCP = "e4m3fnuz e5m2fnuz", "e4m3fn e5m2"
_MI300X = Sheet(
    "AMD Instinct MI300X", "mi300x", _CDNA3, "AMD Instinct MI300X Accelerator data sheet (2023)",
    _matrix(
        163.4, 163.4, (1307.4, 2614.9), (2614.9, 5229.8), tf32=(653.7, 1307.4),
        **_eight((2614.9, 5229.8), _FNUZ),
    ),
    {"float64": 81.7, "float32": 163.4}, 5300, 304, (2100, 2100), 5,
    words=words("oam 192gb hbm3 vf"),
)  # fmt: skip

AMD: tuple[Sheet, ...] = (
    Sheet(
        "AMD Instinct MI100", "mi100", _CDNA1, "AMD Instinct MI100 Accelerator data sheet (2020)",
        {"float32": 46.1, "float16": 184.6, "bfloat16": 92.3, "int8": 184.6},
        {"float64": 11.5, "float32": 23.1}, 1228.8, 120, (1502, 1502), 4,
        words=words("32gb hbm2 pcie"),
    ),
    Sheet(
        "AMD Instinct MI210", "mi210", _CDNA2, "AMD Instinct MI210 Accelerator data sheet (2022)",
        _matrix(45.3, 45.3, 181.0, 181.0), {"float64": 22.6, "float32": 22.6}, 1638.4, 104,
        (1700, 1700), 4, words=words("64gb hbm2e pcie"),
    ),
    Sheet(
        "AMD Instinct MI250X, one of two dies (GCD)", "mi250x", _CDNA2,
        "AMD Instinct MI200 Series Accelerator data sheet (2022), half of a package",
        _matrix(47.85, 47.85, 191.5, 191.5), {"float64": 23.95, "float32": 23.95}, 1638.4, 110,
        (1700, 1700), 4, words=words("oam 128gb 64gb hbm2e gcd"),
        note="a package is two devices to torch",
    ),
    _MI300X,
    Sheet(
        "AMD Instinct MI300A", "mi300a", _CDNA3,
        "AMD Instinct MI300A APU data sheet (2023)",
        _matrix(
            122.6, 122.6, (980.6, 1961.2), (1961.2, 3922.3), tf32=(490.3, 980.6),
            **_eight((1961.2, 3922.3), _FNUZ),
        ),
        {"float64": 61.3, "float32": 122.6}, 5300, 228, (2100, 2100), None,
        words=words("apu 128gb hbm3"),
    ),
    replace(
        _MI300X, device="AMD Instinct MI325X", model="mi325x", bandwidth=6000,
        source="AMD Instinct MI325X Accelerator data sheet (2024)",
        words=words("oam 256gb hbm3e vf"),
    ),
    Sheet(
        "AMD Instinct MI350X", "mi350x", _CDNA4, "AMD Instinct MI350X GPU data sheet (2025)",
        _matrix(
            72.1, 144.2, (2306.9, 4613.7), (4613.7, 9227.5), float4_e2m1fn_x2=9227.5,
            **_eight((4613.7, 9227.5), _OCP),
        ),
        {"float64": 72.1, "float32": 144.2}, 8000, 256, (2200, 2200), 5,
        words=words("oam 288gb hbm3e vf"),
    ),
    Sheet(
        "AMD Instinct MI355X", "mi355x", _CDNA4, "AMD Instinct MI355X GPU data sheet (2025)",
        _matrix(
            78.6, 157.3, (2516.6, 5033.2), (5033.2, 10066.3), float4_e2m1fn_x2=10066.3,
            **_eight((5033.2, 10066.3), _OCP),
        ),
        {"float64": 78.6, "float32": 157.3}, 8000, 256, (2400, 2400), 5,
        words=words("oam 288gb hbm3e vf"),
    ),
)  # fmt: skip

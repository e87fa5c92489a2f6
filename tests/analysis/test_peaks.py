"""The table of devices: names are understood wholly or not at all, and the figures fit each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.analysis.peaks import SHEETS, completed, peaks_for, peaks_table, sheet_for
from perfkit.model.peaks import Peak, Peaks

PER_CLOCK = {
    "Volta": {"float16": 1024, "vector": 128},
    "Turing": {"float16": 1024, "int8": 2048, "vector": 128},
    "Ampere GA100": {"float64": 128, "tf32": 1024, "float16": 2048, "int8": 4096, "vector": 128},
    "Ampere GA10x": {"tf32": 512, "float16": 1024, "int8": 2048, "vector": 256},
    "Ada": {"tf32": 512, "float16": 1024, "float8_e4m3fn": 2048, "int8": 2048, "vector": 256},
    "Hopper": {"tf32": 2048, "float16": 4096, "float8_e4m3fn": 8192, "int8": 8192, "vector": 256},
    "RTX Blackwell": {"tf32": 256, "float16": 512, "int8": 2048, "vector": 256},
    "CDNA": {"float32": 256, "float16": 1024, "bfloat16": 512, "int8": 1024, "vector": 128},
    "CDNA 2": {"float64": 256, "float32": 256, "float16": 1024, "int8": 1024, "vector": 128},
    "CDNA 3": {"float64": 256, "float32": 256, "tf32": 1024, "float16": 2048, "vector": 256},
    "CDNA 4": {"float64": 128, "float32": 256, "float16": 4096, "int8": 8192, "vector": 256},
}
"""FLOPs per clock of one SM or CU, as the architecture papers give them."""

HALVED = {
    "NVIDIA GeForce RTX 3090": ("float16", "tf32"),
    "NVIDIA GeForce RTX 4090": ("float16", "tf32", "float8_e4m3fn"),
    "NVIDIA L40": ("float16", "tf32", "float8_e4m3fn", "int8"),
}
"""What boards compute at half the rate of their design, where they accumulate in float32."""


def _sheet(name):
    found = sheet_for(name)
    assert found is not None, name
    return found.sheet


@pytest.mark.parametrize(
    "name",
    [
        "NVIDIA A10G",  # another board than the A10
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA GeForce RTX 4090 D",
        "NVIDIA GeForce RTX 3090 Ti",
        "Quadro RTX 6000",  # Turing, not Ada
        "RTX 6000",
        "NVIDIA H100 80GB HBM3 MIG 3g.40gb",
        "NVIDIA A10-24Q",  # a virtual GPU
        "GRID A100-10C",
        "NVIDIA GH200 480GB",
        "NVIDIA A100-SXM-64GB",  # a board made for one customer
        "NVIDIA H20-3e",
        "AMD Radeon Graphics",
        "h100 or h200",
        "AMD EPYC (2 threads)",
        "<b>H100</b>",
        "H\x00100",
        "",
        "   ",
        "h100 " * 40,
    ],
)
def test_a_name_that_is_not_understood_has_no_figures(name):
    assert peaks_for(name) is None


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("NVIDIA H100 80GB HBM3", "NVIDIA H100 SXM"),
        ("NVIDIA H100 PCIe", "NVIDIA H100 PCIe"),
        ("NVIDIA H100 NVL", "NVIDIA H100 NVL"),
        ("h100sxm", "NVIDIA H100 SXM"),
        ("NVIDIA H200", "NVIDIA H200 SXM"),
        ("NVIDIA B200", "NVIDIA B200"),
        ("Tesla V100-SXM2-16GB", "NVIDIA V100 SXM2"),
        ("Tesla V100-PCIE-32GB", "NVIDIA V100 PCIe"),
        ("Tesla T4", "NVIDIA T4"),
        ("NVIDIA A100-SXM4-40GB", "NVIDIA A100 SXM 40GB"),
        ("NVIDIA A100-PG509-200", "NVIDIA A100 SXM 40GB"),
        ("NVIDIA A100 80GB PCIe", "NVIDIA A100 PCIe 80GB"),
        ("A100 80 GB SXM", "NVIDIA A100 SXM 80GB"),
        ("NVIDIA L40S", "NVIDIA L40S"),
        ("rtx3090", "NVIDIA GeForce RTX 3090"),
        ("NVIDIA RTX A6000", "NVIDIA RTX A6000"),
        ("NVIDIA RTX 6000 Ada Generation", "NVIDIA RTX 6000 Ada Generation"),
        ("AMD Instinct MI300X VF", "AMD Instinct MI300X"),
        ("mi355x", "AMD Instinct MI355X"),
    ],
)
def test_a_name_of_drivers_and_people_is_understood(name, device):
    found = peaks_for(name)
    assert found is not None
    assert found.device == device


def test_what_a_name_leaves_open_is_assumed_and_said():
    found = peaks_for("h100")
    assert found is not None
    assert found.device.startswith("NVIDIA H100 SXM (assumed; ")
    assert "NVIDIA H100 PCIe or NVIDIA H100 NVL" in found.device


def test_a_part_of_a_device_has_no_figures():
    assert peaks_for("NVIDIA A100-SXM4-40GB", 108) is not None
    assert peaks_for("NVIDIA A100-SXM4-40GB", 42) is None


def test_a_virtual_function_with_all_units_is_the_whole_card():
    whole = peaks_for("AMD Instinct MI300X VF", 304)
    assert whole is not None
    assert (whole.device, whole.compute_units) == ("AMD Instinct MI300X", 304)
    assert peaks_for("AMD Instinct MI300X VF", 38) is None, "a partition"


def test_each_sheet_is_found_by_its_own_name_and_no_two_share_one():
    names = [sheet.device for sheet in SHEETS]
    assert len(set(names)) == len(names)
    for sheet in SHEETS:
        if "GCD" not in sheet.device:
            assert _sheet(sheet.device) is sheet


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.device)
def test_dense_is_half_of_sparse(sheet):
    for dtype, sparse in sheet.sparse.items():
        assert sheet.dense[dtype] == pytest.approx(sparse / 2, rel=0.013), dtype


@pytest.mark.parametrize("sheet", [s for s in SHEETS if s.mhz], ids=lambda sheet: sheet.device)
def test_units_times_clock_times_width_is_the_stated_peak(sheet):
    assert sheet.units is not None
    for dtype, width in PER_CLOCK[sheet.design.name].items():
        clock = sheet.mhz[1 if dtype in ("vector", "float64") else 0]
        stated = sheet.vector["float32"] * 1e12 if dtype == "vector" else sheet.dense.get(dtype)
        if stated is None:
            continue
        half = 2 if dtype in HALVED.get(sheet.device, ()) else 1
        computed = sheet.units * clock * 1e6 * width / half
        assert stated == pytest.approx(computed, rel=0.03), dtype


def test_an_h200_is_an_h100_with_more_bandwidth():
    h100, h200 = _sheet("h100 sxm"), _sheet("NVIDIA H200")
    assert (h200.matmul, h200.vector, h200.units) == (h100.matmul, h100.vector, h100.units)
    assert h200.bandwidth > 1.4 * h100.bandwidth


def test_export_variants_compute_as_the_originals_and_talk_slower():
    for original, variant in (("a100 sxm 80gb", "a800 sxm"), ("h100 sxm", "h800 sxm")):
        first, second = _sheet(original), _sheet(variant)
        assert second.dense["float16"] == first.dense["float16"]
        assert second.bandwidth == first.bandwidth
        assert second.link < first.link


def test_every_figure_has_a_source_and_only_sheets_are_called_tabulated():
    for sheet in SHEETS:
        peaks = sheet.peaks()
        rows = peaks_table(peaks).records()
        assert all(row["source"] and row["value"] > 0 for row in rows), sheet.device
        assumed = {row["figure"] for row in rows if row["origin"] == "assumed"}
        assert assumed <= {"launch", "host_op", "sync", "h2d_pinned", "d2h_pinned"}


def test_geforce_products_count_with_float32_accumulation():
    found = peaks_for("NVIDIA GeForce RTX 4090")
    assert found is not None
    assert found.matmul["float16"].value == pytest.approx(165.2e12)


def test_a_float32_product_uses_tf32_only_where_it_is_allowed():
    found = peaks_for("NVIDIA A100-SXM4-40GB")
    assert found is not None
    plain, allowed = (found.flops_per_s("matmul", "float32", tf32) for tf32 in (False, True))
    assert plain is not None and plain.value == pytest.approx(19.5e12)
    assert allowed is not None and allowed.value == pytest.approx(156e12)


def test_completing_keeps_what_was_measured_and_adds_only_the_devices_own_figures():
    own = Peak(900e12, "measured", "here")
    measured = Peaks("NVIDIA H100 80GB HBM3", {"bfloat16": own}, compute_units=132)
    both = completed(measured)
    assert both.matmul["bfloat16"] == own
    assert both.matmul["float8_e4m3fn"].origin == "tabulated"
    assert both.bandwidth is not None
    assert both.launch_ns is None
    elsewhere = replace(measured, device="some CPU")
    assert completed(elsewhere) == elsewhere

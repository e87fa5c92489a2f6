"""The comparison with TraceLens: on its figures where they are at hand, else on figures of our own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks import peer_costs as benchmark
from tests.kineto_traces import document, on_device, span, write

CORPUS = os.environ.get("PERFKIT_TRACE_CORPUS")
MM = {
    "Input Dims": [[4, 8], [8, 2]],
    "Input type": ["float", "float"],
    "Input Strides": [[8, 1], [2, 1]],
    "Concrete Inputs": ["", ""],
}


def folder(path: Path, **changes: Any) -> Path:
    """A trace with one product, and what a peer might say of it."""
    spans = [span("cpu_op", "aten::mm", 1, 5, **MM), on_device("kernel", "gemm", 3, 4)]
    write(path / "some.json.gz", document(spans))
    row = {
        "name": "aten::mm",
        "GFLOPS_first": 128e-9,
        "Data Moved (MB)_first": 4 * (32 + 16 + 8) / 2**20,
        **{f"{key}_first": str(value) for key, value in MM.items()},
        **changes,
    }
    (path / "oracle").mkdir()
    (path / "oracle" / "some.tracelens.json").write_text(json.dumps({"sheet_GEMM": [row]}))
    return path


def test_a_difference_without_a_name_is_one(tmp_path: Path) -> None:
    (pair,) = benchmark.compared(folder(tmp_path, GFLOPS_first=100e-9))
    assert not pair.agrees()
    assert pair.flops_ratio == pytest.approx(1.28)


def test_a_row_that_we_do_not_have_is_told(tmp_path: Path) -> None:
    (pair,) = benchmark.compared(folder(tmp_path, name="aten::bmm"))
    assert pair.flops is None
    assert not pair.agrees()


def test_equal_figures_agree(tmp_path: Path) -> None:
    (pair,) = benchmark.compared(folder(tmp_path))
    assert pair.agrees(1e-9)
    assert pair.differences == ()


def test_a_difference_with_a_name_is_expected_in_full(tmp_path: Path) -> None:
    causal = {"param: causal": "True", "GFLOPS_first": 64e-9}
    (pair,) = benchmark.compared(folder(tmp_path, **causal))
    assert pair.differences == ("causal",)
    assert pair.flops_ratio == pytest.approx(2)
    assert pair.agrees(1e-9)


@pytest.mark.skipif(not CORPUS, reason="PERFKIT_TRACE_CORPUS has no traces")
def test_products_convolutions_and_attention_equal_tracelens() -> None:
    pairs = list(benchmark.compared(Path(CORPUS or "")))
    assert {pair.op for pair in pairs} >= {
        "aten::mm", "aten::addmm", "aten::bmm", "aten::convolution",
        "aten::_scaled_dot_product_flash_attention",
    }  # fmt: skip
    assert [pair for pair in pairs if not pair.agrees()] == []
    plain = [p for p in pairs if "causal" not in p.differences]
    for pair in plain:
        assert pair.flops_ratio == pytest.approx(1, rel=0.01)
        assert pair.bytes_ratio == pytest.approx(1, rel=0.01)

"""layout-copies: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.operands import Operands
from perfkit.model.run import Run
from perfkit.rules.layout_copies import FIX, FIX_EXPANDED, FIX_TURNED, layout_copies
from tests.cost_rows import GPU
from tests.kineto_traces import needs_corpus
from tests.rules.operand_runs import HERE, TB_PER_S, run, saved
from tests.trace_pictures import US, trace

COPY = Operands(
    "layout", "aten::clone", (512, 512), "transposed", 2, nbytes=20 * TB_PER_S, place=HERE
)


def traced(op: str, kernel: str, us: int) -> Run:
    """A step of 24 µs with one kernel."""
    work = ("k" * us).ljust(21, ".")
    events = trace(f"""
        step  ssssssssssssssssssssssss
        op    .aa..................... a={op}
        call  .l...................... l=cudaLaunchKernel
        gpu   ...{work} k={kernel}
    """)
    return trace_run(events, "drawn")


def test_abstains_where_nobody_looked() -> None:
    with pytest.raises(NotApplicable):
        layout_copies(Run("empty"))
    with pytest.raises(NotObservable, match="bandwidth"):
        layout_copies(run(COPY, peaks=replace(GPU, bandwidth=None)))
    with pytest.raises(NotObservable, match="no work of a device"):
        layout_copies(trace_run(trace("step ssss\ncall .l.. l=cudaLaunchKernel"), "drawn"))


@pytest.mark.parametrize(
    "copy",
    [replace(COPY, nbytes=4 * TB_PER_S), replace(COPY, aspect="cast")],
    ids=["a sliver of the step", "a cast"],
)
def test_silent(copy: Operands) -> None:
    assert layout_copies(run(copy)).findings == ()


@pytest.mark.parametrize(
    ("op", "kernel", "us"),
    [
        ("aten::clone", "direct_copy", 10),
        ("aten::mm", "gemm", 10),
        ("aten::cudnn_convolution", "nchwToNhwcKernel", 1),
    ],
    ids=["a copy that keeps its layout", "arithmetic", "a sliver of the step"],
)
def test_silent_on_traces(op: str, kernel: str, us: int) -> None:
    assert layout_copies(traced(op, kernel, us)).findings == ()


def test_copies_save_their_bytes() -> None:
    (finding,) = layout_copies(run(COPY)).findings
    assert saved(finding) == (10_000, 20_000, 20_000)
    assert (finding.place, finding.fix) == (HERE, FIX)
    assert finding.title == "19.1 MiB per step are copied to make a transposed tensor contiguous"


def test_expanded_tensors_have_their_own_advice() -> None:
    (finding,) = layout_copies(run(replace(COPY, what="expanded"))).findings
    assert finding.fix == FIX_EXPANDED


@pytest.mark.parametrize(
    ("op", "kernel", "fix"),
    [
        ("aten::cudnn_convolution", "cudnn::ops::nchwToNhwcKernel", FIX_TURNED),
        ("aten::contiguous", "direct_copy", FIX),
    ],
)
def test_kernels_of_a_trace_save_half_of_their_time(op: str, kernel: str, fix: str) -> None:
    (finding,) = layout_copies(traced(op, kernel, 8)).findings
    assert saved(finding) == (0, 4 * US, 8 * US)
    assert finding.fix == fix


@needs_corpus("h100_qwen1.5_0.5b")
def test_a_real_trace_whose_attention_makes_its_heads_contiguous(trace: Path) -> None:
    (finding,) = layout_copies(trace_run(read_trace(trace), "qwen")).findings
    assert finding.evidence["copies_per_step"] == 96.0
    assert str(finding.evidence["modules"]).endswith("Qwen2Attention")

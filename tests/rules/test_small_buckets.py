"""small-buckets: silent cases first, then exact numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.io.chrome import read_trace
from perfkit.model.run import Run
from perfkit.rules.small_buckets import small_buckets
from tests.analysis.test_gradient_buckets import HOOK, US, one_rank
from tests.draw import draw
from tests.kineto_traces import document, gpu_events, write


def _run(folder: Path, collectives: int, **about: Any) -> Run:
    return trace_run(one_rank(folder, collectives, **about), "x")


def test_it_does_not_apply_without_a_trace_or_a_collective(tmp_path: Path) -> None:
    alone = trace_run(read_trace(write(tmp_path / "t.json", document(gpu_events()))), "x")
    for run in (draw("step  bbbb"), alone):
        with pytest.raises(NotApplicable):
            small_buckets(run)


def test_unknown_sizes_are_told_and_not_taken_for_small_ones(tmp_path: Path) -> None:
    with pytest.raises(NotObservable, match="sizes"):
        small_buckets(_run(tmp_path, 20, elements=None))


def test_silent_for_few_large_hidden_or_dependent_ones(tmp_path: Path) -> None:
    for name, run in {
        "few": _run(tmp_path, 7),
        "large": _run(tmp_path, 20, elements=1 << 20),
        "hidden behind the backward": _run(tmp_path, 20, hidden=True),
        "a layer's kernels in between, as in tensor parallelism": _run(tmp_path, 20, kernels=3),
    }.items():
        assert small_buckets(run).findings == (), name


def test_one_all_reduce_per_parameter_is_found(tmp_path: Path) -> None:
    (finding,) = small_buckets(_run(tmp_path, 20)).findings
    assert finding.title == (
        "20 all_reduce per step move 4 KiB on average: 400 µs of the step, mostly latency"
    )
    assert finding.evidence["after_merging"] == 1
    assert finding.saving is not None
    saving = finding.saving
    assert (saving.low_ns, saving.likely_ns, saving.high_ns) == (0, 380 * US, 380 * US)
    assert "bucket_cap_mb" in finding.fix


def test_hooks_of_gradients_are_found_whatever_lies_between(tmp_path: Path) -> None:
    run = _run(tmp_path, 20, kernels=3, around=HOOK)
    assert len(small_buckets(run).findings) == 1

"""All analyses of a trace together: they hold on drawn and on real traces."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perfkit.analysis.step_breakdown import device_sets
from perfkit.analysis.trace_reading import trace_reading
from perfkit.io.chrome import read_trace
from tests.kineto_traces import needs_corpus
from tests.trace_pictures import trace


def test_an_empty_trace_reads_as_nothing() -> None:
    reading = trace_reading(trace("over a a=Buffer~Flush"))
    reading.self_check()
    assert reading.steps.windows == reading.breakdown == reading.idle == ()
    assert reading.launched is None


def test_a_trace_is_read_once() -> None:
    events = trace("step sss\ncall l.. l=cudaLaunchKernel\ngpu .kk k=g")
    assert trace_reading(events) is trace_reading(events)


def test_device_work_outside_the_steps_is_told() -> None:
    reading = trace_reading(
        trace("step .ss..ss...\ncall lL.l...... l=cudaLaunchKernel\ngpu  .k..kk..kk k=g")
    )
    reading.self_check()
    assert reading.launched_in_no_step() == 3_000


@needs_corpus()
def test_real_traces_keep_every_invariant_and_the_exact_figures(trace: Path) -> None:
    reading = trace_reading(read_trace(trace))
    reading.self_check()
    assert reading.steps.windows
    exact = _exact(trace)
    if exact is None:
        return
    work = reading.work
    assert work.busy.total == pytest.approx(exact["busy_ns"], rel=0.005)
    assert len(work) == exact["n_gpu_events"]
    sets = device_sets(work)
    assert sets["compute"].total == pytest.approx(exact["compute_union_ns"], rel=0.005)
    assert sets["exposed_comm"].total == pytest.approx(exact["exposed_comm_ns"], rel=0.005)


def _exact(path: Path) -> dict[str, int] | None:
    """The reference figures beside a trace of the corpus, where there are some."""
    name = path.name.split(".json")[0]
    if name.startswith("worker"):
        name = f"dlrm_{name.split('_')[0]}"
    root = next((p for p in path.parents if (p / "oracle").is_dir()), path.parent)
    file = root / "oracle" / f"{name}.exact.json"
    return json.loads(file.read_text()) if file.exists() else None

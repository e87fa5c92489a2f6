"""Graphed steps: eager where nothing can be captured, refusals by line, then shapes and replays.

A capture that records the call and runs it again stands in for CUDA; the real one is marked gpu.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.base.errors import PerfkitError
from perfkit.pretend import pretend_cuda
from perfkit.rewrites import _tree
from perfkit.rewrites._parity import parity
from perfkit.rewrites.cuda_graph_step import (
    REWRITE,
    CudaCapture,
    GraphedStep,
    _Captured,
    cuda_graph_step,
    watched,
)


class Replaying(CudaCapture):
    """Reads static inputs and writes static outputs, as a graph does, by running the step again."""

    def __init__(self) -> None:
        super().__init__()
        self.captures = self.replays = self.warm_calls = 0

    def why_eager(self, args: Any) -> str:
        return ""

    def warm(self, step: Any, args: Any, device: torch.device) -> Any:
        self.warm_calls += 1
        return step(*args)

    def capture(self, step: Any, args: Any, device: torch.device) -> _Captured:
        self.captures += 1
        static = _tree.mapped(torch.clone, args)
        captured = _Captured(None, _tree.tensors(static), None)

        def replay() -> None:
            self.replays += 1
            captured.output = step(*static)

        captured.graph = SimpleNamespace(replay=replay)
        return captured


@pytest.mark.parametrize("settings", [{"warmup": 0}, {"most": 0}])
def test_settings_below_one_are_refused(settings):
    with pytest.raises(PerfkitError, match="at least 1"):
        cuda_graph_step(torch.sin, **settings)


def test_on_a_cpu_the_step_runs_eagerly_and_says_so():
    step = cuda_graph_step(lambda x: x + 1)
    for _ in range(5):
        assert step(torch.ones(1)).tolist() == [2]
    assert "not all of them" in step.why_eager
    assert step.graphs == 0


def test_arguments_without_a_tensor_run_eagerly():
    step = cuda_graph_step(lambda x: x + 1)
    assert step(1) == 2
    assert step.why_eager


def test_on_the_pretend_device_the_step_runs_eagerly_and_says_so():
    step = cuda_graph_step(lambda x: x + 1)
    with pretend_cuda():
        for _ in range(5):
            assert step(torch.ones(1, device="cuda")).shape == (1,)
    assert "pretend" in step.why_eager


def test_waits_are_found_at_their_line():
    with pretend_cuda():
        x = torch.ones(3, device="cuda")
        output, waits = watched(lambda: x.sum().item())
        assert (output, [hit.op for hit in waits]) == (3.0, ["aten::item"])
        assert watched(lambda: x.sum())[1] == []


def test_a_step_that_waits_is_refused_with_its_line():
    def branch_by_value(x):
        return x * 2 if x.sum() > 0 else x  # waits

    step = GraphedStep(branch_by_value, warmup=2, by=Replaying())
    with pretend_cuda():
        x = torch.ones(3, device="cuda")
        step(x)
        for _ in range(2):  # and again, not captured by trying once more
            with pytest.raises(
                PerfkitError, match=r"test_cuda_graph_step.py:\d+ in branch_by_value"
            ):
                step(x)
    assert step.graphs == 0


def test_shapes_beyond_the_most_run_eagerly():
    by = Replaying()
    step = GraphedStep(lambda x: x + 1, warmup=1, most=1, by=by)
    for rows in (2, 2, 3, 3, 3):
        assert torch.equal(step(torch.zeros(rows)), torch.ones(rows))
    assert (by.captures, step.graphs) == (1, 1)
    assert "1 shapes are captured already" in step.why_eager


def test_each_warm_call_is_a_step_of_its_own_and_none_is_run_twice():
    total, by = torch.zeros(()), Replaying()

    def add(x):
        return total.add_(x.sum()).clone()

    step = GraphedStep(add, warmup=2, by=by)
    sums = [float(step(torch.tensor([float(value)]))) for value in (1, 2, 3, 4)]
    assert sums == [1, 3, 6, 10]
    assert (by.warm_calls, by.replays, by.captures) == (2, 2, 1)
    assert step.why_eager == ""


def test_a_result_is_not_overwritten_by_the_next_replay():
    step = GraphedStep(lambda x: x + 1, warmup=1, by=Replaying())
    results = [step(torch.tensor([value])) for value in (1, 2, 3)]
    assert [one.item() for one in results] == [2, 3, 4]


def test_another_plain_value_is_another_graph():
    by = Replaying()
    step = GraphedStep(lambda x, scale: x * scale, warmup=1, by=by)
    for scale in (2, 3, 2, 3):
        assert step(torch.ones(1), scale).item() == scale
    assert by.captures == 2


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.integers(1, 4), max_size=14), warmup=st.integers(1, 3), most=st.integers(1, 3)
)
def test_any_sequence_of_shapes_gives_what_the_eager_step_gives(rows, warmup, most):
    step = GraphedStep(
        lambda batch: {"sum": batch["x"].sum(), "x": batch["x"] * 2},
        warmup=warmup,
        most=most,
        by=Replaying(),
    )
    for number, count in enumerate(rows):
        x = torch.full((count,), float(number))
        given = step({"x": x})
        assert torch.equal(given["x"], x * 2)
        assert given["sum"] == x.sum()
    assert step.graphs <= most


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("case", REWRITE.cases, ids=lambda case: case.name)
def test_on_a_gpu_replays_equal_the_eager_steps(case):
    cuda = torch.device("cuda")
    proof = parity(REWRITE, REWRITE.forms[0], case.make(0), case.name, torch.float32, cuda)
    assert proof.holds, proof


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_a_step_that_waits_is_refused():
    step = cuda_graph_step(lambda x: x * x.sum().item(), warmup=1)
    with pytest.raises(PerfkitError, match="waits for the device"):
        step(torch.ones(3, device="cuda"))

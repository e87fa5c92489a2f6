"""The recorder of a step's storages, on the pretend device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from perfkit.capture.costs import CostRecorder
from perfkit.capture.schedule import Limits
from perfkit.capture.session import Session, Settings
from perfkit.detectors.evidence import Evidence
from perfkit.io import rundir
from perfkit.model.memory import Memory, StepMemory
from perfkit.pretend import Pretence, pretend_cuda

KIB = 1024
hooks = torch._C._autograd


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Net(nn.Module):
    """Two blocks of 16 KiB weights; 64 rows of 64 numbers are 16 KiB, too."""

    def __init__(self, again: bool = False) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(64, 64, bias=False), nn.Tanh()) for _ in range(2)
        )
        self.again = again

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.again else block(x)
        return x


class Loop:
    """A training loop on the pretend device; `step` is one pass."""

    def __init__(self, none: bool = True, late: bool = False, **about: Any) -> None:
        torch.manual_seed(0)
        self.model = Net(**about).cuda()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.none, self.late = none, late
        self.x = torch.ones(64, 64).cuda()

    def loss(self) -> Tensor:
        if not self.late:
            self.optimizer.zero_grad(set_to_none=self.none)
        loss = self.model(self.x).square().mean()
        if self.late:
            self.optimizer.zero_grad()
        return loss

    def step(self) -> None:
        self.loss().backward()
        self.optimizer.step()


def recorded(recorder: CostRecorder, pretence: Pretence, step: Callable[[], object]) -> Memory:
    recorder.begin("pretend-cuda", pretence)
    step()
    recorder.end(counts=True)
    memory = recorder.memory.memory()
    assert memory is not None
    return memory


def of(step: Callable[[Loop], object] = Loop.step, **about: Any) -> StepMemory:
    """The third step of a loop."""
    with pretend_cuda() as pretence:
        loop = Loop(**about)
        for _ in range(2):
            step(loop)
        found = recorded(CostRecorder(Evidence()), pretence, lambda: step(loop)).step
    assert found is not None
    found.self_check()
    return found


def test_host_tensors_are_no_part_of_it() -> None:
    with pretend_cuda() as pretence:
        host = torch.ones(512, 512, requires_grad=True)
        device = torch.ones(4).cuda()
        memory = recorded(
            CostRecorder(Evidence()), pretence, lambda: (host.exp().sum().backward(), device + 1)
        )
    assert memory.step is not None
    assert memory.step.peak_bytes == 32


def test_the_parts_of_a_training_step() -> None:
    step = of()
    sizes = {name: step.bytes_of(name) / KIB for name in ("parameters", "optimizer state")}
    assert sizes == {"parameters": 32, "optimizer state": 32}
    saved = [h for h in step.held if h.category == "saved for backward"]
    assert {(h.module, h.nbytes / KIB) for h in saved} >= {("Net.blocks.0.1", 16)}
    assert all(held.place is not None and held.place.file == __file__ for held in saved)
    assert (step.trained, step.left, step.zeroed, step.stale_bytes) == (True, (), (), 0)


def test_a_checkpoint_saves_nothing_inside() -> None:
    inside = {"Net.blocks.0.0", "Net.blocks.0.1", "Net.blocks.1.0", "Net.blocks.1.1"}
    for again, found in ((False, True), (True, False)):
        held = of(again=again).held
        saved = {h.module for h in held if h.category == "saved for backward"}
        assert bool(saved & inside) is found


def test_what_a_checkpoint_computes_again_is_told_with_its_module() -> None:
    with pretend_cuda() as pretence:
        loop = Loop(again=True)
        recorder = CostRecorder(Evidence())
        recorded(recorder, pretence, loop.step)
    again = {(row.op, row.module, row.phase) for row in recorder.rows() if row.recomputed}
    assert ("aten::mm", "Net.blocks.0.0", "backward") in again
    assert all(module is not None for _, module, _ in again)


def test_a_double_backward_computes_nothing_again() -> None:
    def twice() -> None:
        x = torch.ones(3).cuda().requires_grad_()
        (gradient,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
        gradient.sum().backward()

    with pretend_cuda() as pretence:
        recorder = CostRecorder(Evidence())
        recorded(recorder, pretence, twice)
    assert not any(row.recomputed for row in recorder.rows())


def test_gradients_in_zeros_are_told_at_the_line_of_zero_grad() -> None:
    (zeroed,) = of(none=False).zeroed
    assert (zeroed.nbytes / KIB, zeroed.tensors) == (32, 2)
    assert zeroed.place is not None
    assert zeroed.place.function == "loss"


def test_gradients_that_wait_for_a_late_zero_grad_are_stale() -> None:
    step = of(late=True)
    assert step.stale_bytes == 32 * KIB
    assert step.dropped_at is not None
    assert step.dropped_at.function == "loss"


def test_accumulated_gradients_are_not_stale() -> None:
    def accumulate(loop: Loop) -> None:
        loop.model(loop.x).square().mean().backward()

    step = of(accumulate)
    assert (step.stale_bytes, step.zeroed) == (0, ())


def test_gradients_lie_idle_in_an_evaluation() -> None:
    with pretend_cuda() as pretence:
        loop = Loop()
        loop.loss().backward()

        @torch.no_grad()
        def evaluate() -> None:
            loop.model(loop.x)

        found = recorded(CostRecorder(Evidence()), pretence, evaluate).step
    assert found is not None
    assert (found.trained, found.stale_bytes) == (False, 32 * KIB)


def test_a_graph_that_outlives_its_step_is_left() -> None:
    kept: list[Tensor] = []

    def keep(loop: Loop) -> None:
        loss = loop.loss()
        loss.backward(retain_graph=True)
        kept.append(loss)

    step = of(keep)
    assert sum(held.nbytes for held in step.left) >= 32 * KIB
    assert step.bytes_of("kept from before") >= 2 * 32 * KIB


def test_memory_after_each_step_is_counted_and_forgotten() -> None:
    with pretend_cuda():
        recorder = CostRecorder(Evidence())
        kept = []
        for index in range(2):
            kept.append(torch.ones(256).cuda())
            recorder.memory.step_ended(index, "pretend-cuda")
        memory = recorder.memory.memory()
        recorder.drop()
    assert memory is not None
    assert memory.after == ((0, 1024), (1, 2048))
    assert recorder.memory.memory() is None


def test_nobody_counts_on_a_cpu() -> None:
    recorder = CostRecorder(Evidence())
    recorder.memory.step_ended(0, "cpu")
    assert recorder.memory.memory() is None


# What recording must not change.


def test_values_gradients_and_lifetimes_are_those_without_recording() -> None:
    def weights(record: bool) -> list[Tensor]:
        with pretend_cuda() as pretence:
            loop = Loop(again=True)
            for _ in range(2):
                loop.step()
            if record:
                recorded(CostRecorder(Evidence()), pretence, loop.step)
            else:
                loop.step()
            return [parameter.detach().clone() for parameter in loop.model.parameters()]

    for ours, theirs in zip(weights(True), weights(False), strict=True):
        assert torch.equal(ours, theirs)


def test_nothing_is_kept_alive() -> None:
    with pretend_cuda() as pretence:
        recorder = CostRecorder(Evidence())
        recorder.begin("pretend-cuda", pretence)
        x = torch.ones(8).cuda().requires_grad_()
        y = x.exp()
        died: list[bool] = []
        watch = type("Watch", (), {"__del__": lambda self: died.append(True)})()
        y.untyped_storage().__dict__["watch"] = watch
        del watch
        z = y * 2
        del y
        assert not died, "autograd saved it"
        z.sum().backward()
        assert died
        recorder.end(counts=True)


def test_hooks_are_gone_afterwards() -> None:
    of()
    assert hooks._top_saved_tensors_default_hooks(True) is None


def test_a_programs_own_hooks_stay_in_force() -> None:
    packed: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        packed.append(tensor)
        return tensor

    with pretend_cuda() as pretence:
        recorder, loop = CostRecorder(Evidence()), Loop()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            recorded(recorder, pretence, loop.step)
    assert packed
    assert [gap.why for gap in recorder.gaps()] == ["the program has saved-tensor hooks of its own"]


def test_hooks_that_a_program_leaves_on_top_are_not_taken_away() -> None:
    own = torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor)
    with pretend_cuda() as pretence:
        recorder = CostRecorder(Evidence())
        recorded(recorder, pretence, lambda: (torch.ones(2).cuda().exp(), own.__enter__()))
        assert hooks._top_saved_tensors_default_hooks(True) == (own.pack_hook, own.unpack_hook)
        own.__exit__()
        recorder.memory.step_ended(1, "pretend-cuda")
    assert hooks._top_saved_tensors_default_hooks(True) is None


def test_function_transforms_run_although_they_refuse_hooks() -> None:
    def transform(loop: Loop) -> None:
        torch.func.grad(lambda x: (x**2).sum())(loop.x)
        loop.step()

    with pretend_cuda() as pretence:
        recorder, loop = CostRecorder(Evidence()), Loop()
        recorded(recorder, pretence, lambda: transform(loop))
    assert [gap.why for gap in recorder.gaps()] == ["the program switches saved-tensor hooks off"]


# In a whole capture.


def test_a_capture_tells_one_deep_step_and_the_end_of_every_step(tmp_path: Path) -> None:
    def program() -> None:
        loop = Loop()
        for _ in range(8):
            loop.step()

    with rundir.reserved(tmp_path / "run") as directory:
        session = Session(
            Settings(limits=Limits(steps=3, warmup=1), device="pretend-cuda"), directory
        )
        with session:
            program()
        session.finish("ran to its end", 0)
    run = rundir.load(tmp_path / "run")
    assert run.memory is not None
    assert run.memory.step is not None
    run.memory.step.self_check()
    assert [index for index, _ in run.memory.after] == [step.index for step in run.steps]
    assert len({nbytes for _, nbytes in run.memory.after}) == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_the_parts_of_a_step_are_those_of_the_pretence() -> None:
    loop = Loop()
    for _ in range(2):
        loop.step()
    recorder = CostRecorder(Evidence())
    recorder.begin("cuda", None)
    loop.step()
    recorder.end(counts=True)
    recorder.memory.step_ended(2, "cuda")
    memory = recorder.memory.memory()
    assert memory is not None
    assert memory.step is not None
    parts = [memory.step.bytes_of(name) for name in ("parameters", "optimizer state")]
    assert parts == [32 * KIB, 32 * KIB]
    assert memory.after[0][1] >= sum(parts)

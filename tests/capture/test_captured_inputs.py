"""Arguments of real calls, saved while a program is profiled."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from perfkit.base.errors import PerfkitError
from perfkit.capture import instrument
from perfkit.capture.captured_inputs import AskedInputs
from perfkit.capture.schedule import Limits
from perfkit.capture.session import Session, Settings
from perfkit.io import rundir
from perfkit.rewrites._inputs_file import load


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x, *, flag=True):
        return doubled(self.linear(x), 2) if flag else x


def doubled(x, by=1, *rest, **named):
    return x * by


@instrument.instrument("loss")
def loss_of(y, scale=1.0, model=None):
    y = y * 1
    y += 1  # the arguments as they came are wanted
    return y.sum() * scale


def program(device="cpu", **loss):
    model = Block().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(9):
        loss_of(model(torch.ones(3, 2, device=device), flag=True), **loss).backward()
        optimizer.step()


def captured(tmp_path, *names, limit=2**20, device="cpu", run=program):
    """The run, and what was captured: {folder name: [calls]}."""
    torch.set_num_threads(1)
    settings = Settings(
        device=device, limits=Limits(steps=7, warmup=1), inputs=AskedInputs(names, limit)
    )
    with rundir.reserved(tmp_path / "run") as directory:
        session = Session(settings, directory)
        with session:
            run()
        recorded = session.finish("ran to its end", 0)
    folders = sorted((tmp_path / "run" / "captured").glob("*"))
    calls = {f.name: [load(path) for path in sorted(f.iterdir())] for f in folders}
    return recorded, calls


def gaps(run):
    return {
        g.what.removeprefix("captured inputs of "): g.why for g in run.gaps if "captured" in g.what
    }


def test_nothing_is_captured_unless_asked(tmp_path):
    run, calls = captured(tmp_path)
    assert (calls, gaps(run)) == ({}, {})


def test_a_name_that_is_never_called_is_told(tmp_path):
    run, calls = captured(tmp_path, "nobody", "nowhere:nothing")
    assert calls == {}
    assert "no call in a deep step" in gaps(run)["nobody"]
    assert set(gaps(run)) == {"nobody", "nowhere:nothing"}


@pytest.mark.parametrize("name", ["", "module:", ":function"])
def test_a_name_of_nothing_is_refused(name):
    with pytest.raises(PerfkitError, match="names nothing"):
        AskedInputs((name,))


def test_no_hook_is_left(tmp_path):
    before = sys.getprofile()
    captured(tmp_path, "loss", "nowhere:nothing")
    assert sys.getprofile() == before
    assert instrument._called is None


def test_a_region_a_module_and_a_function_once_per_deep_step(tmp_path):
    function = f"{__name__}:doubled"
    run, calls = captured(tmp_path, "loss", "Block", function)
    deep = [step.index for step in run.steps if step.instrument == "deep"]
    name = function.replace(":", "_")
    kept = [sorted(int(c.path.stem) for c in calls[n]) for n in ("loss", "Block", name)]
    assert kept[0] == kept[1] == kept[2]
    assert set(deep) <= set(kept[0])  # and the steps that lead in
    assert gaps(run) == {}
    block = calls["Block"][0]
    assert (block.args[0].tolist(), block.kwargs) == ([[1.0, 1.0]] * 3, {"flag": True})
    assert set(block.state) == {"linear.weight", "linear.bias"}
    assert block.module is not None and block.module.linear.weight is block.state["linear.weight"]
    assert calls[name][0].args[1] == 2
    y = calls["loss"][0].args[0]
    linear = torch.nn.functional.linear(
        block.args[0], block.state["linear.weight"], block.state["linear.bias"]
    )
    assert torch.equal(y, linear * 2)


def test_under_the_pretence_our_copying_is_no_evidence(tmp_path):
    def on_device():
        program("cuda")

    with_capture, calls = captured(
        tmp_path / "a", "loss", "Block", device="pretend-cuda", run=on_device
    )
    without, _ = captured(tmp_path / "b", device="pretend-cuda", run=on_device)
    assert with_capture.launches_per_step == without.launches_per_step
    assert {s.op for s in with_capture.syncs} == {s.op for s in without.syncs}
    assert calls["loss"][0].args[0].requires_grad


def test_calls_beyond_the_limit_are_left_out_and_told(tmp_path):
    run, calls = captured(tmp_path, "loss", limit=30)
    assert len(calls["loss"]) == 1
    assert "left out: of 30 B for all, 6 B are left" in gaps(run)["loss"]


def test_what_cannot_be_kept_is_told_as_not_replayable(tmp_path):
    run, calls = captured(tmp_path, "loss", run=lambda: program(model=nn.Linear(1, 1)))
    assert "not replayable because kwargs[model] is a module" in gaps(run)["loss"]
    assert calls["loss"][0].why_not

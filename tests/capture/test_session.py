"""A capture of little programs in this process: what the run says afterwards."""

from __future__ import annotations

import pytest
import torch
from torch.nn.modules import module as hooks

from perfkit.analysis.sync_points import sync_points
from perfkit.base.errors import NotObservable
from perfkit.capture import instrument
from perfkit.capture.schedule import Limits
from perfkit.capture.script import MeasuringDone
from perfkit.capture.session import Session, Settings
from perfkit.io import rundir

SHORT = Limits(steps=3, warmup=1)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def captured(program, tmp_path, **settings):
    """Run `program` under a session and return the run it leaves."""
    settings = {"limits": SHORT, "device": "cpu", **settings}
    with rundir.reserved(tmp_path / "run") as directory:
        session = Session(Settings(**settings), directory)
        with session:
            program()
        return session.finish("ran to its end", 0)


def train(steps=8, device="cpu", each=lambda loss: None):
    model = torch.nn.Linear(4, 1).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        loss = model(torch.ones(2, 4, device=device)).mean()
        each(loss)
        loss.backward()
        optimizer.step()


def labels(run):
    return "".join(step.instrument[0] for step in run.steps)


def test_a_program_without_steps_says_what_was_looked_for(tmp_path):
    run = captured(lambda: torch.ones(2).sum(), tmp_path)
    assert run.steps == ()
    assert "0 optimizer.step" in run.gaps[0].why


def test_cpu_look_alikes_under_the_pretence_are_no_syncs(tmp_path):
    run = captured(
        lambda: train(each=lambda loss: torch.ones(3).sum().item()), tmp_path, device="pretend-cuda"
    )
    assert run.syncs == ()


@pytest.mark.parametrize("steps", range(8), ids="ends after {} steps".format)
def test_a_capture_leaves_nothing_switched_on(tmp_path, steps):
    def left():
        global_hooks = hooks._global_forward_pre_hooks, hooks._global_forward_hooks
        return torch.nn.Module.__call__, instrument.active(), [len(each) for each in global_hooks]

    before = left()
    captured(lambda: train(steps), tmp_path)
    assert left() == before
    assert torch.cuda.is_available() is False or torch.version.cuda


def test_every_instrument_and_the_run_on_disk(tmp_path):
    run = captured(train, tmp_path)
    assert labels(run) == "wbwdlaaa"
    assert run.step_marker == "optimizer.step"
    assert rundir.load(run.directory) == run
    assert (run.directory / run.trace).is_file()
    assert {op.name for op in run.ops} >= {"aten::addmm"}


def test_a_read_in_the_loss_is_found_in_deep_steps_only(tmp_path):
    def program():
        train(8, "cuda", each=lambda loss: loss.item())

    run = captured(program, tmp_path, device="pretend-cuda")
    reads = [sync for sync in run.syncs if sync.kind == "item"]
    assert labels(run) == "wbdlaaaa"
    assert [(sync.step, sync.count, sync.phase) for sync in reads] == [(2, 1, "forward")]
    assert reads[0].site.file == __file__
    assert run.launches_per_step > 0


def test_plain_tensors_count_as_on_no_device_so_their_reads_are_not_looked_at(tmp_path):
    def program():
        for _ in range(8):
            torch.ones(2).sum().item()
            instrument.step()

    run = captured(program, tmp_path, device="cpu")
    assert (run.syncs, run.launches_per_step) == ((), 0)
    with pytest.raises(NotObservable, match="counted as on the device"):
        sync_points(run)


def test_auto_leaves_a_pretence_that_the_program_never_used(tmp_path):
    limits = Limits(steps=3, warmup=3)
    each = {"each": lambda loss: loss.item()}
    run = captured(lambda: train(**each), tmp_path, device="auto", limits=limits)
    assert run.device == "cpu"
    assert any(sync.kind == "item" and not sync.certain for sync in run.syncs)


def test_regions_have_time_operators_and_syncs(tmp_path):
    def each(loss):
        with instrument.instrument("part"):
            return loss.item()

    run = captured(lambda: train(8, "cuda", each), tmp_path, device="pretend-cuda")
    assert [region.step for region in run.regions] == [1, 2, 3]
    assert {sync.region for sync in run.syncs if sync.kind == "item"} == {"part"}
    assert run.regions[1].ops is not None


def test_a_validation_between_steps_is_not_counted(tmp_path):
    seen = []

    def each(loss):
        seen.append(loss)
        if len(seen) == 5:
            with torch.no_grad():
                model = torch.nn.Linear(4, 1)
                for _ in range(9):
                    model(torch.ones(1, 4))

    run = captured(lambda: train(9, each=each), tmp_path, limits=Limits(steps=6, warmup=3))
    assert labels(run)[:6] == "wwwbww"
    assert any("validation" in gap.why for gap in run.gaps)


def test_stopping_after_measuring_ends_the_program_from_inside(tmp_path):
    with pytest.raises(MeasuringDone):
        captured(lambda: train(100), tmp_path, stop_after=True)


def test_a_trace_over_the_limit_is_not_kept(tmp_path):
    run = captured(train, tmp_path, limits=Limits(steps=3, warmup=1, max_bytes=10))
    assert run.trace is None
    assert run.ops
    assert not list(run.directory.glob("*.gz"))
    assert any("--max-bytes" in gap.why for gap in run.gaps)


def test_passes_through_a_region_are_the_steps_and_what_lies_between_is_none(tmp_path):
    def program():
        x = torch.ones(3, device="cuda")
        for _ in range(6):
            with instrument.instrument("part"):
                x.sum().item()
            x.max().item()

    run = captured(program, tmp_path, device="pretend-cuda", region="part")
    assert run.step_marker == "region part"
    assert labels(run) == "wbdlaa"
    in_steps = [sync for sync in run.syncs if sync.step is not None]
    assert [(sync.step, sync.count) for sync in in_steps] == [(2, 1)]


def test_a_time_limit_leaves_a_run_that_names_what_is_missing(tmp_path):
    run = captured(train, tmp_path, limits=Limits(max_ns=1))
    assert set(labels(run)) == {"w", "a"}
    assert "the synchronisation points" in [gap.what for gap in run.gaps]


def test_a_region_that_never_came_is_named(tmp_path):
    run = captured(train, tmp_path, region="prat")
    assert run.steps == ()
    assert "'prat'" in run.gaps[0].why

"""input-bound: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotApplicable
from perfkit.model.run import Run, Step
from perfkit.rules.input_bound import input_bound
from tests.analysis.test_loading import loader
from tests.analysis.test_run_floors import run as costed_run
from tests.draw import US, draw
from tests.rules.test_read_bound import storage_bound_run
from tests.trace_pictures import trace

LOADER = "l=enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__"


def _traced(op: str, more: str = "") -> Run:
    return trace_run(
        trace(f"step  {'s' * 20}.{'s' * 20}\nop    {op} {LOADER} a=aten::mm{more}"), "x"
    )


def test_it_does_not_apply_without_a_trace_or_a_loader_or_where_a_device_shows_what_waits() -> None:
    device = "\ncall  ....l l=cudaLaunchKernel\ngpu   .....kkk k=gemm"
    for run in (draw("step  bbbb"), _traced("llll" + "." * 37, device), _traced("aa" + "." * 39)):
        with pytest.raises(NotApplicable):
            input_bound(run)


def test_silent_below_a_tenth_of_the_step() -> None:
    looked = input_bound(_traced("laaaaaaaaaa.........." + ".laaaaaaaaaaaa......."))
    assert looked.findings == ()
    assert looked.at == "5% of 40 µs is spent in the DataLoader"


def test_loading_in_the_main_process_is_found_with_its_share() -> None:
    (finding,) = input_bound(_traced("lllllaaaaaa.........." + "lllllllaaaaaaa.......")).findings
    assert finding.title == "The step waits 6 µs for its batch, 30% of it"
    assert finding.saving is not None
    saving = finding.saving
    assert (saving.low_ns, saving.likely_ns, saving.high_ns) == (0, 3 * US, 6 * US)
    assert "num_workers" in finding.fix


def test_a_device_that_shows_what_waits_counts_it_and_the_settings_are_told() -> None:
    device = "\ncall  ....l l=cudaLaunchKernel\ngpu   .....kkk k=gemm"
    traced = _traced("llll" + "." * 37, device)
    steps = draw("step  bbbbbbbbbb").steps
    run = replace(traced, steps=steps, loaders=(loader((0, 4)),))
    (finding,) = input_bound(run).findings
    assert (finding.saving, finding.evidence["part_of"]) == (None, "idle-device")
    assert finding.fix == "DataLoader(num_workers=1, persistent_workers=True, pin_memory=True)"


def test_silent_where_workers_keep_up() -> None:
    run = draw("step  bbbbbbbbbb", loaders=(loader((0, 0), num_workers=2),))
    looked = input_bound(run)
    assert looked.findings == ()
    assert looked.at == (
        "0% of 10 µs is spent in the DataLoader of Clicks (2 workers, 8 samples a batch)"
    )


def test_a_loader_without_workers_is_found_without_a_trace() -> None:
    run = draw("step  bbbbbbbbbb", loaders=(loader((0, 8), pin_memory=True),), env={"cores": "16"})
    (finding,) = input_bound(run).findings
    assert finding.title == (
        "The step waits 8 µs for its batch, 80% of it: num_workers is 0, so the main process makes it"
    )
    assert finding.fix == "DataLoader(num_workers=4, persistent_workers=True)"


def test_a_busy_machine_is_told_and_is_no_part_of_the_saving() -> None:
    run = draw("step  bbbbbbbbbb", loaders=(loader((0, 8), delays=(6 * US,)),))
    looked = input_bound(run)
    assert looked.at.endswith("; while others held all cores it stood for another 6 µs per step")
    (finding,) = looked.findings
    assert finding.saving is not None
    assert finding.saving.high_ns == 2 * US


def test_more_workers_are_asked_for_only_as_far_as_there_are_cores() -> None:
    waits = (0, 8), (10, 18), (20, 28)
    slow = loader(*waits, num_workers=4, persistent_workers=True, pin_memory=True)
    steps = "step  bbbbbbbbb.bbbbbbbbb.bbbbbbbbb"
    (finding,) = input_bound(draw(steps, loaders=(slow,), env={"cores": "4"})).findings
    assert finding.title == (
        "The step waits 8 µs for its batch on average, 89% of it: 4 workers make one each 10 µs"
    )
    assert finding.fix.startswith("Take decoding")
    assert finding.fix.endswith("(keeping up takes 40 workers, and there are 4 cores)")
    (roomy,) = input_bound(draw(steps, loaders=(slow,), env={"cores": "64"})).findings
    assert roomy.fix.startswith("DataLoader(num_workers=40); then take decoding")


def test_pinning_is_asked_for_only_where_there_is_a_device_to_copy_to() -> None:
    steps = "step  bbbbbbbbbb"
    for device, asked in (("cpu", False), ("pretend-cuda", True)):
        (finding,) = input_bound(draw(steps, loaders=(loader((0, 8)),), device=device)).findings
        assert ("pin_memory=True" in finding.fix) is asked


def test_waiting_for_storage_is_counted_by_read_bound() -> None:
    run = storage_bound_run()
    (finding,) = input_bound(run).findings
    assert (finding.saving, finding.evidence["part_of"]) == (None, "read-bound")


def test_a_slow_cpu_step_does_not_hide_a_loader_from_the_predicted_gpu() -> None:
    wait = ((0, 2_000),)
    long = {"steps": (Step(0, "bare", 0, 40_000 * US),), "syncs": ()}
    (finding,) = input_bound(replace(costed_run(), loaders=(loader(*wait),), **long)).findings
    assert finding.title.startswith("A batch takes 2 ms to make in the main process")
    assert finding.confidence == "low"
    for hidden in (loader((0, 900)), loader(*wait, num_workers=2)):
        assert input_bound(replace(costed_run(), loaders=(hidden,), **long)).findings == ()


def test_workers_that_start_anew_are_a_finding_of_their_own() -> None:
    used = loader((5, 6), (7, 8), starts=((0, 9), (10, 14)), num_workers=2)
    (finding,) = input_bound(
        draw("step  bbbbbbbbbb.bbbbbbbbbb" + "b" * 90, loaders=(used,))
    ).findings
    assert finding.title == "2 workers are started anew each epoch: 3 µs for 2 batches"
    assert finding.fix == "DataLoader(persistent_workers=True)"
    each = loader(starts=((0, 3), (10, 13), (20, 23)), num_workers=1)
    (once,) = input_bound(draw("step  bbbbbbbbbb", loaders=(each,))).findings
    assert once.title == "1 worker is started anew for every batch: 3 µs for 1 batch"
    assert once.fix.startswith("Iterate over the loader")

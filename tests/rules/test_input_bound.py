"""input-bound: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotApplicable
from perfkit.model.diagnosis import Saving
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


def _many(cores: str = "16", wait_us: int = 6_000, **about: Any) -> Run:
    """A batch of 61 tensors, which cost 4.03, 12.4 and 24.8 ms to hand over."""
    return Run(
        "x", device=about.pop("device", "cuda"), env={"cores": cores},
        steps=(Step(0, "bare", 0, 20_000 * US),),
        loaders=(loader((0, wait_us), pin_memory=True, tensors=61.0, nbytes=1e5, **about),),
    )  # fmt: skip


def test_handing_over_a_batch_is_subtracted() -> None:
    few = _many(wait_us=6_000)
    few = replace(few, loaders=(replace(few.loaders[0], tensors=2.0),))
    (finding,) = input_bound(few).findings
    assert finding.saving == Saving(
        0, 2_700 * US, 5_805 * US,
        "none, half and all of the time in the loader, less handing over the batch from a worker",
    )  # fmt: skip
    assert finding.fix == "DataLoader(num_workers=1, persistent_workers=True)"
    assert (finding.rewrite, finding.confidence) == (None, "likely")
    assert finding.evidence["possible_loss_ns"] == 0


def test_many_tensors_are_to_be_joined_before_there_are_workers() -> None:
    (finding,) = input_bound(_many()).findings
    assert finding.saving is not None
    assert (finding.saving.low_ns, finding.saving.likely_ns, finding.saving.high_ns) == (
        0,
        0,
        5_805 * US,
    )
    assert finding.fix == (
        "Join the 61 tensors of a batch into few (perfkit.rewrites.csr_collate for bags of ids): a worker "
        "hands over each on its own, about 12.4 ms per batch; with workers the step as it is now may even "
        "lose up to 18.8 ms; then DataLoader(num_workers=1, persistent_workers=True)"
    )
    assert (finding.rewrite, finding.confidence) == ("csr_collate", "low")


def test_workers_that_hand_over_many_tensors_are_not_answered_with_more_workers() -> None:
    run = _many(num_workers=2, persistent_workers=True)
    (finding,) = input_bound(run).findings
    assert finding.title.endswith(": 2 workers hand over 61 tensors one by one")
    assert finding.fix.startswith("Join the 61 tensors")
    assert "lose" not in finding.fix


def test_a_long_wait_is_worth_handing_over_many_tensors() -> None:
    run = _many(wait_us=12_000)
    run = replace(run, loaders=(replace(run.loaders[0], tensors=15.0),))
    (finding,) = input_bound(run).findings
    assert finding.rewrite is None
    assert finding.fix == "DataLoader(num_workers=2, persistent_workers=True)"


def test_workers_take_the_cores_of_a_step_on_two_of_them() -> None:
    (finding,) = input_bound(_many("2", 12_000, device="cpu")).findings
    assert finding.fix.endswith(
        "; the 2 cores are the step's as well here, and workers take their time from it"
    )
    assert finding.saving is not None
    assert finding.saving.likely_ns == 0
    assert finding.confidence == "low"
    (on_gpu,) = input_bound(_many("2", 12_000)).findings
    assert "cores are" not in on_gpu.fix


def test_under_the_pretence_the_typical_step_counts_and_nothing_is_sure() -> None:
    steps = tuple(Step(i, "bare", 100 * i * US, 100 * (i + 1) * US) for i in range(3))
    waits = loader((0, 20), (100, 120), (200, 290))
    run = Run("x", device="pretend-cuda", steps=steps, loaders=(waits,))
    (finding,) = input_bound(run).findings
    assert finding.saving is not None
    assert (finding.saving.likely_ns, finding.confidence) == (10 * US, "low")
    (measured,) = input_bound(replace(run, device="cuda")).findings
    assert measured.saving is not None
    assert measured.saving.high_ns == round(130 * US / 3)

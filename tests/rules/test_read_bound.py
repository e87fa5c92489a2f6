"""read-bound: silent cases first, then exact numbers."""

from __future__ import annotations

from typing import Any

import pytest

from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.model.run import Run
from perfkit.rules.read_bound import read_bound
from tests.analysis.test_loading import loader
from tests.draw import draw
from tests.sampled import MS, machine, sampled_run

MANY = 8
WAITS = tuple((100_000 * i, 100_000 * i + 60_000) for i in range(4))
"""µs: 60 ms of each step of 100 ms."""


def storage_bound_run(blocked: float = 0.9, read: float = 50e6, **about: Any) -> Run:
    """4 bare steps that wait 60 ms of 100 for batches; the process sleeps for this share of them."""
    series = {"process_blocked": [blocked] * MANY, "storage_read": [read] * MANY}
    return sampled_run("bbbb", machine(**series), loaders=(loader(*WAITS, **about),))


def test_it_does_not_apply_where_nobody_waits_for_batches() -> None:
    for run in (draw("step  bbbb"), draw("step  bbbb", loaders=(loader((0, 0)),))):
        with pytest.raises(NotApplicable):
            read_bound(run)


def test_without_samples_of_the_host_it_cannot_tell() -> None:
    with pytest.raises(NotObservable, match="the host was not sampled"):
        read_bound(draw("step  bbbbbbbbbb", loaders=(loader((0, 8)),)))


def test_what_was_not_sampled_is_told_with_its_reason() -> None:
    reasons = {
        "what is read from storage was not sampled: this system": machine(cpu_busy=[0.1] * MANY),
        "no permission": machine(
            cpu_busy=[0.1] * MANY, unavailable=[("reads from storage", "no permission")]
        ),
        "the process sleeps was not sampled": machine(storage_read=[1e9] * MANY),
        "fewer than 2 samples": machine(process_blocked=[0.1], storage_read=[1e9]),
    }
    for reason, host in reasons.items():
        with pytest.raises(NotObservable, match=reason):
            read_bound(sampled_run("bbbb", host, loaders=(loader(*WAITS),)))


def test_silent_where_steps_hardly_wait_or_nothing_waits_for_disks() -> None:
    short = sampled_run("bbbb", loaders=(loader((0, 9_000), (100_000, 100_100)),))
    for name, run in {
        "steps hardly wait": short,
        "the page cache serves it": storage_bound_run(blocked=0.0, read=0.0),
        "decoding, not reading": storage_bound_run(blocked=0.1),
        "it may sleep outside of the loader": storage_bound_run(blocked=0.6),
        "it sleeps for something else": storage_bound_run(read=1_000.0),
    }.items():
        assert read_bound(run).findings == (), name


def test_waiting_for_storage_is_found_with_what_is_read_per_step() -> None:
    (finding,) = read_bound(storage_bound_run()).findings
    assert finding.title == (
        "Batches wait for storage: the step waits 60 ms for its batch while 4.77 MiB per step are read "
        "at 47.7 MiB/s"
    )
    assert finding.evidence["share_of_making"] == pytest.approx(0.5 / 0.6)
    assert finding.evidence["bytes_per_step"] == 5_000_000
    assert finding.saving is not None
    saving = finding.saving
    assert (saving.low_ns, saving.likely_ns, saving.high_ns) == (0, 30 * MS, 60 * MS)
    assert "shards" in finding.fix


@pytest.mark.parametrize(("blocked", "children", "found"), [(1.6, 2, 1), (0.6, 2, 0), (2.6, 4, 0)])
def test_of_workers_those_that_sleep_count_and_other_children_do_not(
    blocked: float, children: int, found: int
) -> None:
    series = {"workers_blocked": blocked, "workers": children, "storage_read": 50e6}
    host = machine(**{name: [value] * MANY for name, value in series.items()})
    run = sampled_run("bbbb", host, loaders=(loader(*WAITS, num_workers=2),))
    assert len(read_bound(run).findings) == found

"""Cores that are all busy with something else."""

from __future__ import annotations

import pytest

from perfkit.model.diagnosis import Outcome
from perfkit.model.run import Run
from perfkit.rules import _engine
from perfkit.rules.cpu_starved import cpu_starved
from tests.sampled import device, machine, sampled_run

N = 8
IDLE = device(sm_utilisation=[0.1] * N)


def outcome(run: Run) -> Outcome:
    return _engine.outcome("cpu-starved", cpu_starved, run)


def test_a_run_that_sampled_no_gpu_starves_none() -> None:
    assert outcome(Run("r")).state == "not-applicable"
    assert outcome(Run("r", samples=(machine(cpu_busy=[1] * 4),))).state == "not-applicable"


def run(busy: float, own: float, gpu: float, **more: object) -> Run:
    about = {"cpu_busy": [busy] * N, "process_cpu": [own] * N, **more}
    return sampled_run("bbbb", machine(8, **about), device(sm_utilisation=[gpu] * N))


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (sampled_run("bb", IDLE), "the host was not sampled"),
        (sampled_run("bb", machine(cpu_busy=[1] * 4), IDLE), "fewer than 3"),
        (sampled_run("bb", machine(cpu_busy=[1, 1], process_cpu=[1, 1]), IDLE), "fewer than 3"),
        (
            sampled_run(
                "bb", machine(cpu_busy=[1] * 4, process_cpu=[1] * 4), device(power=[1] * 4)
            ),
            "utilisation",
        ),
    ],
)
def test_what_was_not_seen_is_not_clear(seen: Run, why: str) -> None:
    found = outcome(seen)
    assert (found.state, why in str(found.reason)) == ("not-observable", True)


@pytest.mark.parametrize(
    ("busy", "own", "gpu", "why"),
    [
        (0.4, 1, 0.2, "cores are free"),
        (1.0, 1, 0.95, "the GPU is busy all the same"),
        (1.0, 7.5, 0.2, "it is the process itself that computes on all cores"),
    ],
)
def test_it_stays_silent(busy: float, own: float, gpu: float, why: str) -> None:
    assert outcome(run(busy, own, gpu)).state == "clear", why


def test_workers_on_every_core_while_the_gpu_idles_are_found() -> None:
    seen = run(1.0, 0.75, 0.25, workers=[8] * N, workers_cpu=[7] * N)
    (finding,) = outcome(seen).findings
    assert finding.title == (
        "All 8 cores are busy, 7.2 of them with its 8 worker processes, while the GPU works 25% of "
        "the time"
    )
    assert finding.evidence["cores_of_others"] == 7.25


def test_other_programs_are_named_as_others() -> None:
    (finding,) = outcome(run(1.0, 0.5, 0.3, workers=[0] * N, workers_cpu=[0] * N)).findings
    assert "with others" in finding.title


@pytest.mark.parametrize(("workers", "state"), [(1.8, "found"), (0.2, "clear")])
def test_in_a_container_only_its_own_share_counts(workers: float, state: str) -> None:
    host = machine(
        2,
        identity={"core quota": "2"},
        cpu_busy=[0.1] * N,
        process_cpu=[0.2] * N,
        workers_cpu=[workers] * N,
        workers=[4] * N,
    )
    assert outcome(sampled_run("bbbb", host, device(sm_utilisation=[0.1] * N))).state == state

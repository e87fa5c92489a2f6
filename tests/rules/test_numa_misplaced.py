"""A process on the wrong socket."""

from __future__ import annotations

import pytest

from perfkit.model.diagnosis import Outcome
from perfkit.model.run import Run
from perfkit.rules import _engine
from perfkit.rules.numa_misplaced import numa_misplaced
from tests.sampled import NAN, device, machine, sampled_run

TWO = {"NUMA nodes": "2", "NUMA nodes allowed": "0, 1"}
ON_1 = {"NUMA node": "1"}


def outcome(run: Run) -> Outcome:
    return _engine.outcome("numa-misplaced", numa_misplaced, run)


def host(nodes: list[float], **about: object) -> object:
    return machine(identity=TWO, numa_node=nodes, **about)


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (sampled_run("bbb", device(identity=ON_1)), "the host was not sampled"),
        (sampled_run("bbb", host([NAN] * 6), device(identity=ON_1)), "too few"),
        (sampled_run("bbb", host([0] * 6)), "no device was sampled"),
        (sampled_run("bbb", host([0] * 6), device()), "not known"),
        (
            sampled_run("bbb", host([0] * 6), device(0, identity=ON_1), device(1, identity=ON_1)),
            "not known",
        ),
    ],
)
def test_what_is_not_known_is_not_clear(run: Run, why: str) -> None:
    found = outcome(run)
    assert (found.state, why in str(found.reason)) == ("not-observable", True)


@pytest.mark.parametrize("about", [{}, {"NUMA nodes": "1"}])
def test_a_machine_of_one_node_has_no_wrong_one(about: dict[str, str]) -> None:
    one = machine(identity=about, numa_node=[0] * 6)
    found = outcome(sampled_run("bbb", one, device(identity=ON_1)))
    assert (found.state, "no second" in str(found.reason)) == ("not-applicable", True)


def test_nothing_sampled_is_nothing_misplaced() -> None:
    assert outcome(Run("r")).state == "not-applicable"


@pytest.mark.parametrize("nodes", [[1] * 6, [0, 0, 0, 1, 1, 1], [0, 1, 1, 1, 1, 1]])
def test_a_process_on_the_gpus_node_or_on_both_is_left_alone(nodes: list[float]) -> None:
    assert outcome(sampled_run("bbb", host(nodes), device(identity=ON_1))).state == "clear"


def test_where_it_ran_outside_the_measured_steps_does_not_count() -> None:
    run = sampled_run("wwbbb", host([0] * 4 + [1] * 6), device(identity=ON_1))
    assert outcome(run).state == "clear"


def test_a_process_on_the_other_node_is_found() -> None:
    run = sampled_run("bbb", host([0] * 6), device(identity=ON_1))
    (finding,) = outcome(run).findings
    assert finding.title == (
        "The process ran on NUMA node 0 in 100% of the samples, and GPU 0 is attached to node 1"
    )
    assert "--cpunodebind=1" in finding.fix
    assert finding.saving is None


def test_of_several_gpus_only_those_that_the_process_uses_count() -> None:
    mine = device(1, identity=ON_1, process_memory=[NAN, 5, 5])
    other = device(0, identity={"NUMA node": "0"})
    (finding,) = outcome(sampled_run("bbb", host([0] * 6), other, mine)).findings
    assert "GPU 1" in finding.title

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from perfkit.analysis.ranks import PHASES, ranks
from perfkit.base.errors import NotObservable
from perfkit.cli._ranks import one_rank
from tests.kineto_traces import corpus
from tests.rank_traces import NS, ranks_of


def reduced(tmp_path, picture, **told):
    found = ranks(ranks_of(tmp_path, picture, **told))
    found.self_check()
    return found


def test_one_rank_alone_cannot_be_late(tmp_path):
    with pytest.raises(NotObservable, match="one rank alone"):
        reduced(tmp_path, "0  kkA")


def test_ranks_that_arrive_together_make_nobody_late(tmp_path):
    found = reduced(tmp_path, "0  kkA.B\n1  kkA.B\n2  kkA.B", ahead={1: 777})
    assert found.stragglers == ()
    assert [joint.late for joint in found.joint] == [None, None]
    assert [joint.waited_ns for joint in found.joint] == [0, 0]


def test_some_microseconds_are_no_lateness(tmp_path):
    reports = ranks_of(tmp_path, "0  kkA.B\n1  kkA.B", ahead={1: 0.004})
    assert ranks(reports).stragglers == ()


def test_ranks_do_not_wait_for_each_other_in_a_broadcast(tmp_path):
    found = reduced(tmp_path, "0  kAAA\n1  kkkA", kinds={"A": "broadcast"})
    assert found.joint[0].waits == {}
    assert found.joint[0].late is None


def test_the_wait_is_what_exceeds_the_transfer_of_the_last(tmp_path):
    found = reduced(tmp_path, "0  kAAAA.BB\n1  kkkAA.BB\n2  kkAAA.BB")
    first = found.joint[0]
    assert first.transfer_ns == 2 * NS
    assert dict(first.waits) == {0: 2 * NS, 1: 0, 2: NS}
    assert found.waiting_ns(0) == 2 * NS


@pytest.mark.parametrize(
    ("late", "phase"),
    [
        ("kB.kkkkkkA", "compute"),
        ("kB.kkmmmmA", "copies"),
        ("kB.kkiiiiA", "input"),
        ("kB.kk....A", "idle"),
    ],
)
def test_the_phase_that_made_a_rank_late(tmp_path, late, phase):
    picture = f"0  kB.kkAAAAA\n1  {late}\n2  kB.kkAAAAA"
    found = reduced(tmp_path, picture)
    (worst,) = found.stragglers
    assert (worst.rank, worst.times, worst.phase) == (1, 1, phase)
    assert worst.late_by_ns == worst.waited_ns == 4 * NS
    assert worst.phases == {name: 4 * NS if name == phase else 0 for name in PHASES}
    assert worst.saving_ns == (4 * NS, 4 * NS, 4 * NS)


def test_lateness_from_before_the_recording_is_kept_apart(tmp_path):
    picture = """
        0  kkAAAAA.B
        1      kkA.B
        2  kkAAAAA.B
    """
    (worst,) = reduced(tmp_path, picture).stragglers
    assert (worst.rank, worst.phase) == (1, "began")
    assert worst.saving_ns == (0, 0, 4 * NS)


def test_only_the_lead_over_the_next_is_won_if_two_are_late(tmp_path):
    found = reduced(tmp_path, "0  B.AAAAA\n1  B.kkkkA\n2  B.kkkAA\n3  B.AAAAA\n4  B.AAAAA")
    late = found.joint[1].late
    assert late is not None
    assert (late.rank, late.lead_ns, late.late_by_ns, late.spread_ns) == (1, NS, 4 * NS, 4 * NS)


def test_hidden_waiting_costs_nothing(tmp_path):
    reports = ranks_of(tmp_path, "0  B.AAAAA\n1  B.kkkkA")
    hidden = tuple(c.__class__(**{**c.__dict__, "exposed_ns": 0}) for c in reports[0].collectives)
    reports[0] = reports[0].__class__(**{**reports[0].__dict__, "collectives": hidden})
    assert ranks(reports).stragglers[0].saving_ns == (0, 0, 0)


def test_an_uneven_exchange_is_told(tmp_path):
    kinds = {"A": "all_to_allv"}
    reports = ranks_of(tmp_path / "a", "0  kA", kinds=kinds, elements=100)
    reports += ranks_of(tmp_path / "b", "1  kA", kinds=kinds, elements=300)
    big = [
        r.__class__(
            **{
                **r.__dict__,
                "collectives": tuple(
                    c.__class__(**{**c.__dict__, "ranks": (0, 1), "size": 2}) for c in r.collectives
                ),
            }
        )
        for r in reports
    ]
    (joint,) = ranks(big).joint
    assert joint.imbalance == 1.5
    assert joint.bytes == 1200
    assert joint.bus_bandwidth == pytest.approx(1200 / 1e-4 / 2)


def test_ranks_without_a_number_or_with_a_taken_one_get_a_free_one(tmp_path):
    reports = ranks_of(tmp_path / "a", "0  kA\n2  kA") + ranks_of(tmp_path / "b", "0  kA")
    found = ranks(reports)
    assert list(found.reports) == [0, 1, 2]
    assert found.missing == 0


def test_missing_ranks_are_counted(tmp_path):
    reports = ranks_of(tmp_path, "0  kA\n1  kA\n2  kA\n3  kA")
    assert ranks(reports[:2]).missing == 2


@pytest.fixture(scope="module")
def dlrm():
    files = [str(f) for f in corpus() if f.name.startswith("worker")]
    if not files:
        pytest.skip("PERFKIT_TRACE_CORPUS has no traces")
    found = ranks(one_rank(f) for f in files)
    found.self_check()
    oracle = Path(os.environ["PERFKIT_TRACE_CORPUS"]) / "oracle" / "dlrm_8ranks.hta.json"
    return found, json.loads(oracle.read_text())


def test_compute_and_idle_of_the_recommender_are_what_hta_finds(dlrm):
    found, oracle = dlrm
    for row in oracle["temporal_breakdown"]:
        phases = found.reports[row["rank"]].phases
        assert phases.compute_ns == row["compute_time(us)"] * 1000
        # HTA counts everything that runs and does not compute, also copies.
        rest = phases.communication_ns + phases.copies_ns
        assert rest == row["non_compute_time(us)"] * 1000


def test_the_straggler_of_the_recommender_is_one_that_hta_suspects(dlrm):
    found, oracle = dlrm
    worst = found.stragglers[0]
    assert worst.rank in oracle["potential_stragglers"]
    assert (worst.rank, worst.times, worst.phase) == (7, 5, "began")
    assert worst.phases["idle"] == 1_464_000
    assert len(found.joint) == 8
    assert found.identity.unmatched == 0
    assert all(abs(clock.offset_ns) <= 2_000 for clock in found.clocks.values())

"""Hits become counts by place, phase and step."""

from __future__ import annotations

from perfkit.detectors.evidence import Evidence, Hit, listening, publish
from perfkit.detectors.places import origin


def hit(**changes) -> Hit:
    fields = {
        "op": "aten::nonzero",
        "kind": "nonzero",
        "direction": "d2h",
        "place": PLACE,
        "detector": "t",
    }
    return Hit(**{**fields, **changes})


PLACE = origin().place


def test_nobody_listening_is_fine():
    publish(hit())


def test_paused_evidence_drops_hits():
    evidence = Evidence()
    evidence.paused = True
    with listening(evidence):
        publish(hit())
    assert evidence.records() == ()


def test_hits_of_one_place_and_step_are_one_record():
    evidence = Evidence()
    with listening(evidence):
        for step in (0, 0, 1):
            evidence.step = step
            publish(hit(nbytes=4, blocked_ns=10))
    first, second = evidence.records()
    assert (first.step, first.count, first.nbytes, first.blocked_ns) == (0, 2, 8, 20)
    assert (second.step, second.count) == (1, 1)


def test_unknown_stays_unknown():
    evidence = Evidence()
    evidence(hit())
    assert evidence.records()[0].nbytes is None and evidence.records()[0].blocked_ns is None


def test_what_follows_the_forward_belongs_to_it_when_a_backward_comes():
    evidence = Evidence()
    evidence(hit())
    evidence.settle("forward")
    evidence(hit())
    evidence.settle("other")
    evidence(hit(backward=True))
    assert [(s.phase, s.count) for s in evidence.records()] == [
        ("forward", 1), ("other", 1), ("backward", 1),
    ]  # fmt: skip


def test_what_was_seen_first_stays_first_when_its_phase_is_settled():
    evidence = Evidence()
    evidence.step = 0
    for op, forward in (("loss", False), ("model", True)):
        evidence.in_forward = forward
        evidence(hit(op=op))
    evidence.settle("other")
    assert [(sync.op, sync.phase) for sync in evidence.records()] == [
        ("loss", "other"),
        ("model", "forward"),
    ]

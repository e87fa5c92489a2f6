"""What is concluded from a call, whoever saw it."""

from __future__ import annotations

from perfkit.catalogue import _index
from perfkit.catalogue._call import Seen
from perfkit.detectors.judging import hit_of, judged
from perfkit.detectors.places import Origin

HERE = Origin(place=(), in_backward=False, from_autograd=False, implied_kind=None)
PRINTING = Origin(place=(), in_backward=False, from_autograd=False, implied_kind="print")


def test_rules_that_see_nothing_are_silent():
    assert list(judged([("item", lambda call: None)], None)) == []


def test_every_rule_that_sees_something_answers():
    rules = [("h2d", lambda call: Seen()), ("mask_index", lambda call: Seen(2))]
    assert [(kind, seen.count) for kind, seen in judged(rules, None)] == [
        ("h2d", 1),
        ("mask_index", 2),
    ]


def test_the_answer_overrides_the_page_and_the_operator():
    hit = hit_of("item", "aten::index.Tensor", Seen(fix="own", op="aten::item"), HERE, "t")
    assert (hit.op, hit.fix, hit.direction) == ("aten::item", "own", "d2h")
    plain = hit_of("item", "aten::index.Tensor", Seen(), HERE, "t")
    assert (plain.op, plain.fix) == ("aten::index", _index.page("item").fix)


def test_a_read_inside_printing_takes_the_advice_of_its_page():
    hit = hit_of("item", "aten::item", Seen(fix="own"), PRINTING, "t")
    assert (hit.kind, hit.fix) == ("print", _index.page("print").fix)


def test_assumed_placement_makes_nothing_certain():
    assert not hit_of("item", "aten::item", Seen(), HERE, "t", certain=False).certain
    assert not hit_of("item", "aten::item", Seen(certain=False), HERE, "t").certain

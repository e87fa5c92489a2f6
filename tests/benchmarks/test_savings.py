"""The arithmetic of the savings table; the chain itself is `tests/test_end_to_end.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import savings
from benchmarks._chain import Claim, applied_by, claims, function_of
from benchmarks._savings_page import page
from benchmarks._user_program import Answers, Edit, apply


def finding(function: str = "forward", **evidence: object) -> dict:
    return {
        "place": {"file": "/a/model.py", "line": 3, "function": function},
        "evidence": {"per_step": 32.0, **evidence},
        "saving": {"low_ns": 1, "likely_ns": 2, "high_ns": 3, "method": "counts"},
        "code": "for e in experts",
        "title": "a loop",
        "rewrite": None,
        "remedy": {"fixes": ["expert_loop"], "apply": ["perfkit fix --write model.py"]},
    }


def diagnosis(rule: str, *found: dict) -> dict:
    return {"outcomes": [{"rule": rule, "findings": list(found)}]}


def claim(waits: float, launches: float | None = None) -> Claim:
    return Claim("a-rule", "a.py:1", "x", "x", None, waits, launches, 1, 2, 3, "counts")


def row(*found: Claim, gone: float, launches: float | None = 10.0) -> savings.Row:
    return savings.Row(
        "ctr", "a change", found, 100, 100 - gone, 50, launches, 2.0, 1.0, 0.0, None, found
    )


def test_a_finding_elsewhere_or_of_another_rule_is_not_answered() -> None:
    wanted = (Answers("per-expert-loop", "SparseMoE.forward"),)
    assert claims(diagnosis("per-expert-loop", finding("other")), wanted) == ()
    assert claims(diagnosis("unpinned-copy", finding()), wanted) == ()
    (found,) = claims(diagnosis("per-expert-loop", finding()), wanted)
    assert (found.place, found.waits, found.launches) == ("model.py:3", 32.0, None)


def test_one_launch_of_each_kind_is_left_of_a_loop_over_slots() -> None:
    wanted = (Answers("per-slot-embedding", "forward"),)
    loop = finding(lookups_per_step=28.0, operators_in_loop=84.0)
    (found,) = claims(diagnosis("per-slot-embedding", loop), wanted)
    assert found.launches == pytest.approx(81)


def test_a_comprehension_stands_in_its_function() -> None:
    stack = "found.py:90 <listcomp> < found.py:90 align < found.py:128 main"
    assert function_of(finding("<listcomp>", stack=stack)) == "align"


def test_the_command_of_a_finding_is_taken_as_it_is_printed() -> None:
    said = diagnosis("per-expert-loop", finding())
    assert applied_by(said, "expert_loop") == "perfkit fix --write model.py"
    with pytest.raises(SystemExit, match="slot_loop"):
        applied_by(said, "slot_loop")


def test_an_edit_whose_text_is_gone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\nx = 1\n")
    for old in ("y = 1", "x = 1"):
        with pytest.raises(ValueError, match="times"):
            apply((Edit("a.py", old, ""),), tmp_path)


def test_results_of_another_number_are_not_equal() -> None:
    assert savings.drift([1.0, 2.0], [1.0]) == float("inf")
    assert savings.drift([1.0, 2.0], [1.0, 2.5]) == 0.5


def test_the_workers_are_those_of_the_advice() -> None:
    assert savings.workers_of("DataLoader(num_workers=4, pin_memory=True)") == 4


def test_the_page_says_where_a_prediction_did_not_hold() -> None:
    text = page([row(claim(8), gone=6), row(claim(4, 30), gone=4)], [], [])
    assert "1 of 2 changes took away exactly what was predicted" in text
    assert "ctr, a change: 8 predicted, 6 gone" in text
    assert "at least what was predicted in 1 of 1" in text
    loading = savings.Loading("ctr", 1, 0, 5, 10, 20_000_000, 40_000_000)
    assert "| -20 ms | no |" in page([], [loading], [])

"""Every line of the ground truth is told right: kind, count, direction, certainty and place."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from perfkit.model.syncs import Frame, Sync

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
truth: Any = importlib.import_module("_patterns")

PATTERNS = sorted(truth.applicable(truth.PATTERNS), key=lambda pattern: bool(pattern.expected))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_line_is_told_right(pattern: Any, tmp_path: Path) -> None:
    verdict = truth.run(pattern, tmp_path)
    assert verdict.right, f"`{pattern.line}`: {verdict.problem} (source: {pattern.note})"


def test_table_is_large_unambiguous_and_balanced() -> None:
    names = [pattern.name for pattern in truth.PATTERNS]
    assert len(names) == len(set(names))
    silent = sum(not pattern.expected for pattern in truth.PATTERNS)
    assert len(names) >= 150
    assert silent >= 60 and len(names) - silent >= 60
    assert all(pattern.note for pattern in truth.PATTERNS)


def _pattern(**changes: Any) -> Any:
    fields = {"name": "n", "line": "l", "expected": {"item": 2}, "note": "-", **changes}
    return truth.Pattern(**fields)


def _sync(kind: str = "item", count: int = 2, line: int = 7, direction: Any = "d2h") -> Sync:
    return Sync("aten::op", kind, direction, "other", (Frame("/f.py", line, "f"),), None, count)


@pytest.mark.parametrize(
    ("pattern", "records", "complaint"),
    [
        (_pattern(expected={}), [], ""),
        (_pattern(), [_sync()], ""),
        (_pattern(), [_sync(count=1), _sync(count=1)], ""),
        (_pattern(expected={"item": ">=1"}), [_sync()], ""),
        (_pattern(expected={"save|item": 2}), [_sync()], ""),
        (_pattern(anywhere=True), [_sync(line=8)], ""),
        (_pattern(), [], "item: 0, not 2"),
        (_pattern(), [_sync(count=3)], "item: 3, not 2"),
        (_pattern(expected={"item": ">=3"}), [_sync()], "item: 2, not >=3"),
        (_pattern(expected={}), [_sync()], "item: 2 not expected"),
        (_pattern(), [_sync(), _sync("print")], "print: 2 not expected"),
        (_pattern(), [_sync(line=8)], "misplaced"),
        (_pattern(), [_sync(direction="none")], "direction"),
        (_pattern(certain=False), [_sync()], "certain"),
    ],
)
def test_judge_accepts_only_what_was_expected(
    pattern: Any, records: list[Sync], complaint: str
) -> None:
    problem = truth.judge(pattern, records, "/f.py", 7).problem
    assert complaint in problem
    assert bool(complaint) == bool(problem)


def test_totals_count_found_false_and_missed() -> None:
    def verdict(pattern: Any, *records: Sync) -> Any:
        return truth.judge(pattern, records, "/f.py", 7)

    total = truth.totals(
        [
            verdict(_pattern(), _sync(count=3)),
            verdict(_pattern()),
            verdict(_pattern(expected={})),
            verdict(_pattern(expected={}), _sync("print", 1)),
        ]
    )
    assert (total.patterns, total.right) == (4, 1)
    assert (total.line_hits, total.line_false, total.line_missed) == (1, 1, 1)
    assert (total.hits, total.false, total.missed) == (2, 2, 2)


def test_expectations_are_bound_to_the_versions_they_were_read_in() -> None:
    pattern = _pattern(since=(2, 9), before=(2, 14))
    assert [pattern.holds_for(text) for text in ("2.8.1", "2.9.0", "2.13.0+cpu", "2.14.0a0")] == [
        False,
        True,
        True,
        False,
    ]

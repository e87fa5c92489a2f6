"""imbalanced-all-to-all, of one rank and over several: silent cases first, then exact numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from perfkit.analysis.ranks import ranks
from perfkit.analysis.trace_run import trace_run
from perfkit.base.errors import NotApplicable, NotObservable
from perfkit.cli._ranks import one_rank
from perfkit.io.chrome import read_trace
from perfkit.model.diagnosis import Outcome
from perfkit.rules._late_rank import with_ranks
from perfkit.rules._uneven import RULE, uneven_outcome
from perfkit.rules.imbalanced_all_to_all import imbalanced_all_to_all
from tests.analysis.test_all_to_all import told
from tests.draw import draw
from tests.rank_traces import NS, write_ranks
from tests.rules.test_late_rank import BASE

EVEN = ("B.TTTTkA", 1000, [500, 500])


def _over(folder: Path, *rows: tuple[str, int, list[int]]) -> Outcome | None:
    return uneven_outcome(ranks([one_rank(str(path)) for path in told(folder, *rows)]))


def test_it_does_not_apply_without_a_collective_or_an_all_to_all(tmp_path: Path) -> None:
    path, _ = write_ranks(tmp_path, "0  kkA\n1  kkA")
    for run in (draw("step  bbbb"), trace_run(read_trace(path), "x")):
        with pytest.raises(NotApplicable):
            imbalanced_all_to_all(run)


def test_of_one_rank_without_splits_nothing_is_told(tmp_path: Path) -> None:
    path, _ = told(tmp_path, ("kTT", 900, []), ("kTT", 900, []))
    with pytest.raises(NotObservable, match="perfkit analyze"):
        imbalanced_all_to_all(trace_run(read_trace(path), "x"))


def test_a_rank_that_sends_evenly_is_clear(tmp_path: Path) -> None:
    path, _ = told(tmp_path, EVEN, EVEN)
    looked = imbalanced_all_to_all(trace_run(read_trace(path), "x"))
    assert looked.findings == ()
    assert "1 all-to-alls" in looked.at


def test_a_rank_that_sends_mostly_to_one_is_a_hint_without_a_saving(tmp_path: Path) -> None:
    path, *_ = told(tmp_path, ("kTT", 900, [600, 100, 100, 100]), *[("kTT", 900, [])] * 3)
    (finding,) = imbalanced_all_to_all(trace_run(read_trace(path), "x")).findings
    assert finding.title.startswith("Rank 0 of the group gets 2.67x the mean")
    assert (finding.saving, finding.confidence) == (None, "low")


def test_over_ranks_even_sizes_are_clear_and_no_all_to_all_says_nothing(tmp_path: Path) -> None:
    found = _over(tmp_path, EVEN, EVEN)
    assert found is not None and found.state == "clear"
    alone = ranks([one_rank(str(p)) for p in write_ranks(tmp_path / "b", "0  kkA\n1  kkA")])
    assert uneven_outcome(alone) is None


def test_over_ranks_the_busiest_is_named_with_what_evening_out_saves(tmp_path: Path) -> None:
    found = _over(tmp_path, ("B.TTTTkAAA", 1000, []), ("B.TTTTkkkA", 3000, []))
    assert found is not None
    (finding,) = found.findings
    assert finding.title == (
        "1 of 1 all-to-alls are uneven: the busiest, rank 1, moves 1.5x the mean"
    )
    assert finding.evidence["others_wait_ns_per_step"] == 2 * NS
    assert finding.saving is not None
    assert finding.saving.low_ns == 0
    assert finding.saving.high_ns == pytest.approx(4 * NS / 3, abs=1)


def test_all_ranks_together_replace_what_one_rank_said(tmp_path: Path) -> None:
    own = Outcome(RULE, "not-observable", "one rank")
    base = replace(BASE, outcomes=(own, Outcome("other", "clear", "looked")))
    paths = told(tmp_path, ("B.TTTTkAAA", 1000, []), ("B.TTTTkkkA", 3000, []))
    found = with_ranks(base, ranks([one_rank(str(path)) for path in paths]))
    assert [(o.rule, o.state) for o in found.outcomes[1:]] == [(RULE, "found"), ("other", "clear")]

from __future__ import annotations

from dataclasses import replace

import pytest

from perfkit.analysis.ranks import ranks
from perfkit.model.diagnosis import Coverage, Diagnosis, Finding, Outcome, Verdict
from perfkit.rules._late_rank import RULE, with_ranks
from tests.rank_traces import NS, ranks_of

BASE = Diagnosis(
    "one", Verdict("A step takes 1 ms.", "Own reason.", "Own advice."), Coverage(1, "a trace")
)


def judged(tmp_path, picture, **told):
    return with_ranks(BASE, ranks(ranks_of(tmp_path, picture, **told)))


def outcome(diagnosis):
    (found,) = (one for one in diagnosis.outcomes if one.rule == RULE)
    return found


def test_ranks_that_never_wait_for_each_other_are_not_observable(tmp_path):
    found = judged(tmp_path, "0  kkA\n1  kkA", kinds={"A": "broadcast"})
    assert outcome(found).state == "not-observable"
    assert found.verdict.why == "Own reason."


def test_ranks_that_keep_step_are_clear_and_keep_the_ranks_own_reason(tmp_path):
    found = judged(tmp_path, "0  kkA.B\n1  kkA.B")
    assert outcome(found).state == "clear"
    assert found.verdict.what.startswith("2 ranks; a step takes 500 µs")
    assert found.verdict.why == "No rank holds up the others. Own reason."


def test_lateness_below_a_hundredth_of_the_step_is_no_finding(tmp_path):
    long = "k" * 200
    found = judged(tmp_path, f"0  {long}AA.B\n1  {long}kA.B")
    assert outcome(found).state == "clear"


@pytest.mark.parametrize(
    ("late", "reason", "fix"),
    [
        ("B.kkkkkkA", "it computed longer (400 µs)", "Balance the work"),
        ("B.kkiiiiA", "it waited longer for data (400 µs)", "loader more workers"),
        ("B.kkmmmmA", "it copied longer (400 µs)", "what the ranks copy"),
        ("B.kk....A", "its device waited longer for the host (400 µs)", "this rank's host"),
    ],
)
def test_the_late_rank_its_phase_and_what_to_do_are_named(tmp_path, late, reason, fix):
    found = judged(tmp_path, f"0  B.kkAAAAA\n1  B.kkAAAAA\n2  {late}")
    (finding,) = outcome(found).findings
    assert finding.title == f"Rank 2 comes last to 1 of 2 collectives: {reason}"
    assert fix in finding.fix
    assert finding.saving is not None
    assert finding.saving.likely_ns == 4 * NS
    assert found.verdict.why == f"Rank 2 is last, 400 µs per step behind the median rank: {reason}."
    assert found.verdict.next == f"{finding.fix}."


def test_a_rank_late_from_the_start_asks_for_a_longer_recording(tmp_path):
    picture = """
        0  kkAAAAA.B
        1      kkA.B
        2  kkAAAAA.B
    """
    (finding,) = outcome(judged(tmp_path, picture)).findings
    assert "began its recorded step later (400 µs)" in finding.title
    assert finding.fix.startswith("Record several steps")


def test_what_stands_behind_the_match_is_told(tmp_path):
    reports = ranks_of(tmp_path, "0  kA.B\n1  kA.B\n2  kA.B", sequence=False)
    found = with_ranks(BASE, ranks(reports[:2]), ["x.json: is empty"], "job")
    assert found.run == "job"
    assert found.coverage.gaps == (
        "x.json: is empty",
        "1 ranks: no trace of them was given",
        "collective identity: without sequence numbers, matched by order",
    )
    assert found.facts["ranks"] == "2"
    assert found.facts["collectives matched by"] == "order"


def test_a_rank_without_a_common_collective_is_told(tmp_path):
    found = judged(tmp_path, "0  kA.B\n1  kA.B\n2  kk..")
    assert "clock of rank 2: no common collective to align it by" in found.coverage.gaps


def test_the_diagnosis_survives_json(tmp_path):
    found = judged(tmp_path, "0  B.kkAAAAA\n1  B.kkkkkkA")
    assert Diagnosis.from_json(found.to_json()).to_json() == found.to_json()


def test_what_is_of_one_rank_alone_says_so(tmp_path):
    own = Outcome("rule", "found", None, (Finding("Waits", evidence={"per_step": 2}),))
    base = replace(BASE, outcomes=(own,), facts={"all findings together": "2 ms"})
    found = with_ranks(base, ranks(ranks_of(tmp_path, "0  B.kkAAAAA\n1  B.kkkkkkA")), shown=1)
    late, alone = found.outcomes
    assert [finding.evidence.get("on_rank") for finding in late.findings] == [None]
    assert alone.findings[0].evidence == {"per_step": 2, "on_rank": 1}
    assert found.coverage.basis == "2 ranks; in detail rank 1: a trace"
    assert any(gap.startswith("detail of the other ranks: ") for gap in found.coverage.gaps)
    assert found.facts["rank in detail"] == "1"
    assert found.facts["all findings together"] == "rank 1: 2 ms"


def test_without_a_rank_in_detail_nothing_is_labelled(tmp_path):
    found = judged(tmp_path, "0  kkA.B\n1  kkA.B")
    assert "rank in detail" not in found.facts
    assert found.coverage.basis == "a trace"


def test_a_rank_whose_trace_is_cut_off_is_named_in_the_verdict(tmp_path):
    whole, cut = ranks_of(tmp_path, "0  kkA.B\n1  kkA.B")
    cut = replace(cut, gaps=("the end of the trace is missing: the gzip stream stops early",))
    found = with_ranks(BASE, ranks([whole, cut]))
    assert found.verdict.what.startswith("The trace of rank 1 is cut off: ")

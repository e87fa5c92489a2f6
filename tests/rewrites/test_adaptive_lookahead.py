"""The controller settles near the optimum, stays in bounds, unlearns in time; the found one does not."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.detectors.evidence import Evidence, listening
from perfkit.pretend import pretend_cuda
from perfkit.rewrites.adaptive_lookahead import (
    REWRITE,
    Costs,
    LateReads,
    Lookahead,
    Pace,
    adaptive,
    adaptive_lookahead,
    best_pace,
    drawn_runs,
    found,
    lookahead,
    regret,
)

rates = st.floats(0.02, 0.97)
costs = st.floats(0.02, 0.6).map(lambda draft: Costs(draft=draft))


def truly_expected(rate: float, length: int, costs: Costs) -> float:
    """Tokens per cost of a fixed length at a known rate, in closed form."""
    return (1 - rate ** (length + 1)) / (1 - rate) / (1 + costs.draft * length)


@settings(max_examples=40, deadline=None)
@given(rates, costs, st.integers(0, 9))
def test_at_a_stationary_rate_it_settles_near_the_best_length(rate, costs, seed):
    runs = drawn_runs([rate], 600, seed)
    settled = adaptive(runs, costs, 16)[-300:]
    best = max(truly_expected(rate, length, costs) for length in range(1, 17))
    reached = torch.tensor([truly_expected(rate, int(length), costs) for length in settled])
    assert float(reached.mean()) > 0.95 * best


@settings(max_examples=30, deadline=None)
@given(st.lists(rates, min_size=1, max_size=4), costs, st.integers(1, 16))
def test_lengths_are_bounded_whatever_happens(changing, costs, longest):
    lengths = adaptive(drawn_runs(changing, 60, 0), costs, longest)
    assert int(lengths.min()) >= 1
    assert int(lengths.max()) <= longest


@settings(deadline=None)
@given(st.floats(0.05, 0.9), st.floats(0.05, 0.9))
def test_a_higher_rate_never_makes_the_best_draft_shorter(one, other):
    low, high = (
        best_pace(Lookahead(Pace(4), hits=(rate,), continued=9 * rate, refused=9 - 9 * rate)).length
        for rate in sorted((one, other))
    )
    assert low <= high


def test_refusals_shorten_and_acceptances_lengthen():
    start = lookahead(16, start=4)
    refused = accepted = start
    for _ in range(20):
        refused = adaptive_lookahead(refused, 0, refused.pace.length)
        accepted = adaptive_lookahead(accepted, accepted.pace.length, accepted.pace.length)
    assert refused.pace.length == 1
    assert accepted.pace.length > 8


def test_a_long_easy_text_is_unlearnt_as_fast_as_a_short_one():
    def steps_to_unlearn(easy: int) -> int:
        lengths = adaptive(
            torch.cat([torch.full((easy,), 99), torch.zeros(300).long()]), Costs(), 16
        )
        return int((lengths[easy:] == 1).long().argmax())

    assert 0 < steps_to_unlearn(10_000) <= steps_to_unlearn(300) + 5 < 80


def test_a_run_cut_by_the_drafts_own_length_is_no_refusal():
    belief = lookahead(16, start=2)
    assert adaptive_lookahead(belief, 2, 2).continues > belief.continues


def test_the_found_controller_ends_at_the_longest_draft_at_ten_percent():
    inputs = drawn_runs([0.1], 600, 0), Costs(), 16
    assert found(*inputs)[-1] == 16
    assert regret(inputs, found(*inputs)) > 0.4
    assert regret(inputs, adaptive(*inputs)) < 0.05


def test_branches_are_added_where_the_second_choice_is_often_right_and_only_there():
    def settled(ranks: list[int]) -> int:
        belief = lookahead(8, branches=3, costs=Costs(0.05, 0.05))
        for rank in ranks * 40:
            drafted = belief.pace.length
            accepted = min(2, drafted) if 0 <= rank < belief.pace.branches else 0
            belief = adaptive_lookahead(belief, accepted, drafted, rank)
        return belief.pace.branches

    assert settled([0, 0, 0, -1]) == 1
    assert settled([0, 1, 0, 1]) == 2
    assert settled([0, 1, 2]) == 3


def test_counts_of_ones_own_become_inputs():
    runs, costs, longest = REWRITE.adopt([3, 0, 2], 0.2, 8)
    assert adaptive(runs, costs, longest).tolist()[0] == 4
    assert costs.draft == 0.2


@pytest.mark.parametrize("wrong", [(-1, 2), (3, 2)])
def test_counts_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="accepted of"):
        adaptive_lookahead(lookahead(), *wrong)


@pytest.mark.parametrize(
    "wrong", [{"longest": 0}, {"branches": 0}, {"costs": Costs(0.0)}, {"costs": Costs(0.1, -1)}]
)
def test_bounds_and_costs_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="bounds are 1 at least"):
        lookahead(**wrong)


def test_late_reads_come_one_call_late_and_without_a_wait():
    evidence = Evidence()
    with pretend_cuda(), listening(evidence):
        reads = LateReads()
        device = torch.device("cuda")
        counts = [torch.full((2,), step, device=device) for step in range(3)]
        given_back = [reads.exchange(count) for count in counts]
        rest = reads.last()
    assert given_back == [None, [0, 0], [1, 1]]
    assert rest == [2, 2]
    assert not evidence.records()


def test_late_reads_come_as_late_on_a_cpu_and_keep_what_was_sent():
    reads, count = LateReads(), torch.tensor([1])
    assert reads.exchange(count) is None
    count.fill_(7)
    assert reads.exchange(count) == [1]
    assert reads.last() == [7]
    assert reads.last() is None

import pytest

from perfkit.rewrites.pairwise_preference_loss import REWRITE
from perfkit.rewrites.pairwise_preference_loss.analytic import analytic
from perfkit.rewrites.pairwise_preference_loss.gated import due, gated, gated_window


def test_other_steps_cost_nothing_and_teach_nothing():
    inputs = REWRITE.case("hinge").make(0)
    given = gated(1, 4, *inputs)
    assert given.loss == 0 and not given.loss.requires_grad and given.pairs == 0


def test_a_due_step_makes_up_for_the_others():
    inputs = REWRITE.case("hinge").make(0)
    assert gated(8, 4, *inputs).loss == 4 * analytic(*inputs).loss
    assert [step for step in range(9) if due(step, 4)] == [0, 4, 8]


def test_a_gate_that_is_never_due_is_refused():
    with pytest.raises(ValueError, match="0 steps"):
        due(1, 0)


def test_a_window_with_a_gate_of_one_is_the_whole_loss():
    inputs = REWRITE.case("hinge").make(0)
    assert gated_window(*inputs, every=1).loss == analytic(*inputs).loss
    assert gated_window(*inputs, every=2).pairs < analytic(*inputs).pairs

import pytest
import torch

from perfkit.rewrites._parity import case_parity
from perfkit.rewrites.pairwise_preference_loss import REWRITE

REFUSED = {
    "zero_shortcut": "small, every type",
    "without derivative": "small, every type",
    "packed keys": "capped among the best",
    "narrow counters": "reported scale",
    "binary search": "shuffled entries",
}


@pytest.mark.parametrize("trap", REWRITE.traps, ids=lambda trap: trap.name)
def test_each_trap_is_refused_where_it_is_wrong_and_passes_where_it_is_not(trap):
    refused = case_parity(REWRITE, trap, REWRITE.case(REFUSED[trap.name]), torch.float64)
    assert not refused.holds
    if trap.name not in ("zero_shortcut", "without derivative"):
        assert case_parity(REWRITE, trap, REWRITE.case("ragged"), torch.float64).holds


def test_without_a_derivative_the_value_is_right_and_only_the_gradient_tells():
    trap = next(trap for trap in REWRITE.traps if trap.name == "without derivative")
    proof = case_parity(REWRITE, trap, REWRITE.case("small, every type"), torch.float64)
    assert proof.value_error < 1e-9 and proof.reason.startswith("gradient off")


def test_bincount_with_weights_has_no_derivative():
    weights = torch.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"does not require grad|derivative"):
        torch.bincount(torch.tensor([0, 1, 1]), weights=weights).sum().backward()

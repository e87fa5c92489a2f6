import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.rewrites.pairwise_preference_loss.config import LossConfig
from perfkit.rewrites.pairwise_preference_loss.pair_vec import vector_targets
from perfkit.rewrites.pairwise_preference_loss.pairs import read_lookup
from perfkit.rewrites.pairwise_preference_loss.slow_elem import write_targets

from .inputs import LODS, SMALL, drawn

WEIGHTED = LossConfig(collapse_weight=0.25)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 500), st.sampled_from([0.0, 0.5]))
def test_targets_are_those_written_one_by_one(seed, strength):
    better, worse = drawn(SMALL, seed)[0][:2]
    found = vector_targets(better, worse, strength, LODS, WEIGHTED)
    expected = write_targets(read_lookup(better), worse, strength, LODS, WEIGHTED)
    assert torch.equal(found.value, expected.value)
    assert torch.equal(found.mask, expected.mask)
    assert torch.equal(found.weight[found.mask], expected.weight[expected.mask])

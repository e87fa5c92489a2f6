import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from perfkit.rewrites.pairwise_preference_loss.choice import choose
from perfkit.rewrites.pairwise_preference_loss.config import LossConfig
from perfkit.rewrites.pairwise_preference_loss.layout import layout
from perfkit.rewrites.pairwise_preference_loss.pairs import choose_pairs

CPU = torch.device("cpu")
values = st.one_of(st.integers(0, 4).map(float), st.floats(0, 1e9), st.just(float("inf")))
# two infinite losses have no difference, and where that sorts is nobody's promise
samples_of = st.lists(values, min_size=1, max_size=6).filter(lambda x: x.count(float("inf")) < 2)


@given(
    st.lists(samples_of, min_size=1, max_size=4),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.3, 0.4, 1.0]),
)
def test_the_device_chooses_what_the_host_would(samples, cap, kept):
    config = LossConfig(max_pairs=cap, pairs_kept=kept)
    sizes = tuple(i for i, losses in enumerate(samples) for _ in losses)
    losses = torch.tensor([x for sample in samples for x in sample], dtype=torch.float64)
    chosen = choose(losses, layout(sizes, config, CPU))
    found, expected, start = [], [], 0
    for pair in zip(
        *(t.tolist() for t in (chosen.better, chosen.worse, chosen.delta)), strict=True
    ):
        found.append(pair)
    for sample in samples:
        pairs = choose_pairs(sample, config)
        expected += [(start + p.better, start + p.worse, p.delta) for p in pairs]
        start += len(sample)
    assert told_apart(found) == told_apart(expected)


def told_apart(pairs):
    """Pairs that ask for something; of a tie it does not matter who is better."""
    return sorted((b, w, d) for b, w, d in pairs if d > 0)


@pytest.mark.parametrize("kept", [1.0, 0.4])
def test_without_a_second_context_there_is_no_pair(kept):
    plan = layout((0, 1, 2), LossConfig(pairs_kept=kept), CPU)
    assert len(choose(torch.tensor([1.0, 2.0, 3.0]), plan).delta) == 0


def test_differences_far_below_single_precision_keep_their_order():
    losses = torch.tensor([1e6, 1e6 + 2e-3, 1e6 + 1e-3, 1e6 + 3e-3], dtype=torch.float64)
    chosen = choose(losses, layout((0,) * 4, LossConfig(max_pairs=2), CPU))
    assert (chosen.better.tolist(), chosen.worse.tolist()) == ([0, 0], [3, 1])

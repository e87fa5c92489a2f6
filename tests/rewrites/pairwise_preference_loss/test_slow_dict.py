import torch

from perfkit.rewrites.pairwise_preference_loss.slow_dict import host_targets

from .inputs import LODS

POSITIONS = torch.tensor([0, 1, 2, 3, 4, 8])
LEVELS = torch.tensor([0, 0, 0, 0, 1, 1])


def targets(lookup, strength=0.5):
    return host_targets(lookup, POSITIONS, LEVELS, strength, LODS).tolist()


def test_no_difference_in_loss_makes_no_targets():
    assert targets({0: 1, 4: 0}, strength=0.0) == [0.0] * 6


def test_positions_the_better_does_not_have_make_no_targets():
    assert targets({100: 2}) == [0.0] * 6


def test_finer_asks_one_entry_and_coarser_its_whole_block():
    assert targets({0: 1, 4: 0}) == [-0.5, -0.5, -0.5, -0.5, 0.5, 0.0]
    assert targets({4: 2}) == [0.0, 0.0, 0.0, 0.0, -0.5, -0.5]

import torch

from perfkit.rewrites.pairwise_preference_loss.telemetry import NAMES, empty, read


def test_no_pairs_have_no_telemetry():
    assert read(empty(torch.zeros(()))) == (0, {})


def test_the_vector_is_read_by_name():
    pairs, values = read(torch.tensor([39.0, 0.5, 0.25, 0.125, -1.0]))
    assert pairs == 39
    assert list(values) == list(NAMES) and values["correlation"] == -1.0

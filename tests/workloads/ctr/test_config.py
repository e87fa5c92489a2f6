from dataclasses import FrozenInstanceError

import pytest

from perfkit.workloads.ctr.config import CONFIGS, Config


def test_configurations_are_named_and_frozen():
    assert set(CONFIGS) == {"laptop", "reported"}
    with pytest.raises(FrozenInstanceError):
        CONFIGS["laptop"].layers = 1


def test_the_reported_sizes_are_the_contests():
    reported = CONFIGS["reported"]
    assert (reported.users, reported.vocab, reported.slots) == (50, 5_000_000, 28)
    assert (reported.layers, reported.experts, reported.top_k) == (8, 8, 2)
    assert reported.slots * reported.embedding == 14_336


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="heads"):
        Config(width=30, heads=4)
    with pytest.raises(ValueError, match="fewer"):
        Config(experts=1)

from dataclasses import FrozenInstanceError

import pytest

from perfkit.rewrites.pairwise_preference_loss.drawn import context_width
from perfkit.workloads.lens.config import CONFIGS


def test_configurations_are_named_and_frozen():
    assert set(CONFIGS) == {"laptop", "reported"}
    with pytest.raises(FrozenInstanceError):
        CONFIGS["laptop"].loss.margin = 1.0


def test_the_reported_sizes_give_the_reported_contexts():
    reported = CONFIGS["reported"]
    assert context_width(reported) == 1521
    assert reported.samples * (1 + reported.variants) == 39

from dataclasses import FrozenInstanceError

import pytest

from perfkit.workloads.lens.config import CONFIGS, Lods
from perfkit.workloads.lens.contexts import context_width


def test_configurations_are_named_and_frozen():
    assert set(CONFIGS) == {"laptop", "reported"}
    with pytest.raises(FrozenInstanceError):
        CONFIGS["laptop"].loss.margin = 1.0


def test_the_reported_sizes_give_the_reported_contexts():
    reported = CONFIGS["reported"]
    assert context_width(reported) == 1521
    assert reported.samples * (1 + reported.variants) == 39


def test_levels_span_powers_of_the_block():
    lods = Lods(block=32, top=2)
    assert [lods.span(lod) for lod in range(3)] == [1, 32, 1024]
    assert lods.parent(63, 0) == 1
    assert lods.parent(1056, 1) == 1

"""Length-sorted batches: every sample once, whatever the settings; then how little they pad."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from perfkit.base.errors import PerfkitError
from perfkit.rewrites.packing._forms import lengths_of
from perfkit.rewrites.packing.batching import LengthSortedBatches, padding_efficiency


@pytest.mark.parametrize("settings", [{"batch_size": 0}, {"batch_size": 1, "bucket": 0}])
def test_sizes_below_one_are_refused(settings):
    with pytest.raises(PerfkitError, match="at least 1"):
        LengthSortedBatches([1], **settings)


@given(
    lengths=st.lists(st.integers(0, 9), max_size=30),
    batch_size=st.integers(1, 7),
    bucket=st.integers(1, 4),
    shuffle=st.booleans(),
)
def test_every_sample_comes_exactly_once(lengths, batch_size, bucket, shuffle):
    sampler = LengthSortedBatches(lengths, batch_size, bucket=bucket, shuffle=shuffle)
    batches = list(sampler)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert len(batches) == len(sampler)
    assert all(1 <= len(batch) <= batch_size for batch in batches)


@given(count=st.integers(0, 30), batch_size=st.integers(1, 7))
def test_a_dropped_last_batch_leaves_whole_ones_without_repeats(count, batch_size):
    sampler = LengthSortedBatches(list(range(count)), batch_size, bucket=2, drop_last=True)
    batches = list(sampler)
    drawn = [index for batch in batches for index in batch]
    assert len(batches) == len(sampler) == count // batch_size
    assert len(set(drawn)) == len(drawn) == len(batches) * batch_size


def test_epochs_differ_and_can_be_repeated():
    sampler = LengthSortedBatches(list(range(40)), 4, bucket=3, seed=1)
    first, second = list(sampler), list(sampler)
    assert first != second
    sampler.set_epoch(0)
    assert list(sampler) == first


def test_unshuffled_batches_are_the_same_every_time():
    sampler = LengthSortedBatches([3, 1, 2, 9, 8, 7], 2, bucket=1, shuffle=False)
    assert list(sampler) == list(sampler) == [[1, 0], [2, 3], [5, 4]]


def test_lengths_are_alike_within_a_batch():
    lengths = lengths_of(800, 60, 0.7).tolist()
    order = torch.randperm(800, generator=torch.Generator().manual_seed(0))
    random = padding_efficiency(lengths, order.view(-1, 8).tolist())
    ours = padding_efficiency(lengths, LengthSortedBatches(lengths, 8, bucket=20))
    assert random < 0.5
    assert ours > 0.85


def test_the_efficiency_of_nothing_is_unknown():
    assert padding_efficiency([], []) is None
    assert padding_efficiency([0], [[0]]) is None


def test_a_loader_takes_it():
    sampler = LengthSortedBatches([5, 1, 4], 2, bucket=5, shuffle=False)
    loader = DataLoader([10, 11, 12], batch_sampler=sampler)
    assert [batch.tolist() for batch in loader] == [[11, 12], [10]]

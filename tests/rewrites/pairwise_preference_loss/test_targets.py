import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perfkit.rewrites.pairwise_preference_loss.config import Lods
from perfkit.rewrites.pairwise_preference_loss.targets import group_count, level_map, sibling_groups


def test_the_map_survives_entries_out_of_order():
    positions, lods = torch.tensor([[8, 0, 4]]), torch.tensor([[1, 0, 2]], dtype=torch.int8)
    assert level_map(positions, lods, 10)[0].tolist() == [0, -1, -1, -1, 2, -1, -1, -1, 1, -1, -1]


@settings(deadline=None)
@given(st.integers(2, 6), st.lists(st.tuples(st.integers(0, 143), st.integers(-1, 3)), min_size=1))
def test_entries_of_one_level_and_parent_share_a_group_and_no_other(block, entries):
    geometry = Lods(block, 2)
    positions = torch.tensor([[p if lod >= 0 else 144 for p, lod in entries]])
    lods = torch.tensor([[lod for _, lod in entries]], dtype=torch.int8)
    groups = sibling_groups(positions, lods, 144, geometry)[0].tolist()
    last = group_count(144, geometry)
    keys = [
        (lod, geometry.parent(p, lod)) if 0 <= lod < geometry.top else None for p, lod in entries
    ]
    assert all((group == last) == (key is None) for group, key in zip(groups, keys, strict=True))
    assert len({*zip(groups, keys, strict=True)}) == len(set(groups)) == len(set(keys))

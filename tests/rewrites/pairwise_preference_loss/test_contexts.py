from .inputs import coarse, fine


def test_a_context_knows_where_it_ends_without_a_tensor():
    assert isinstance(fine().end, int)
    assert coarse(1.0).positions.shape == coarse(1.0).lods.shape == (1, 13)

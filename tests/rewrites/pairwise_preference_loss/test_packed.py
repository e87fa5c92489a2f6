import torch

from perfkit.rewrites.pairwise_preference_loss.packed import pack, unpack

from .inputs import coarse, drawn, fine, random_scores


def test_what_was_packed_comes_back():
    samples = [[fine(8, 1.0), coarse(2.0)], [coarse(3.0, 12)]]
    scores = random_scores(samples)
    lists, rows = unpack(*pack(samples, scores).arguments)
    assert [len(sample) for sample in lists] == [2, 1]
    for row, other in zip(
        (s for r in rows for s in r), (s for r in scores for s in r), strict=True
    ):
        assert torch.equal(row, other)
    for sample, other in zip(lists, samples, strict=True):
        for c, o in zip(sample, other, strict=True):
            assert torch.equal(c.positions, o.positions) and torch.equal(c.lods, o.lods)
            assert c.token_loss == o.token_loss


def test_the_gradient_reaches_the_lists():
    samples = drawn()
    scores = random_scores(samples)
    pack(samples, scores).scores.sum().backward()
    assert all(torch.equal(s.grad, torch.ones_like(s)) for row in scores for s in row)


def test_padding_is_marked_by_its_level():
    packed = pack([[fine(8), coarse(2.0)]], random_scores([[fine(8), coarse(2.0)]]))
    assert ((packed.lods < 0).sum(1)).tolist() == [5, 0]

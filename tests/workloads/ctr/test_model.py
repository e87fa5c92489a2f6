from dataclasses import replace

import pytest
import torch

from perfkit.workloads.ctr.config import CONFIGS
from perfkit.workloads.ctr.data import make_loader
from perfkit.workloads.ctr.model import RepEncoder, SparseMoE, build_mask

from .inputs import SMALL, OpCounts, batch_of, model_of, users_of


@pytest.fixture(scope="module")
def model():
    return model_of(SMALL)


def logits(model, users) -> torch.Tensor:
    with torch.no_grad():
        return model(batch_of(users))


def other_signs(row):
    return replace(row, signs={slot: [i + 1 for i in bag] for slot, bag in row.signs.items()})


def test_later_rows_do_not_reach_earlier_ones(model):
    user = users_of(SMALL)[0]
    changed = [*user[:-3], *map(other_signs, user[-3:])]
    before, after = logits(model, [user]), logits(model, [changed])
    torch.testing.assert_close(before[:-3], after[:-3], rtol=0, atol=1e-6)
    assert (before[-3:] - after[-3:]).abs().min() > 1e-3


def test_cutting_a_history_leaves_what_remains_unchanged(model):
    user = users_of(SMALL)[0]
    torch.testing.assert_close(
        logits(model, [user])[:5], logits(model, [user[:5]]), rtol=0, atol=1e-6
    )


def test_users_do_not_reach_each_other(model):
    first, second, third, *_ = users_of(SMALL)
    alone = logits(model, [second])
    together = logits(model, [first, second, third])
    swapped = logits(model, [list(map(other_signs, third)), second])
    size = len(second)
    torch.testing.assert_close(together[len(first) :][:size], alone, rtol=0, atol=1e-6)
    torch.testing.assert_close(swapped[-size:], alone, rtol=0, atol=1e-6)


def test_history_reaches_later_rows(model):
    user = users_of(SMALL)[0]
    changed = [other_signs(user[0]), *user[1:]]
    assert (logits(model, [user])[1:] - logits(model, [changed])[1:]).abs().max() > 1e-5


def test_users_without_rows_change_nothing(model):
    first, second, *_ = users_of(SMALL)
    torch.testing.assert_close(
        logits(model, [[], first, [], second]), logits(model, [first, second]), rtol=0, atol=1e-6
    )


def test_an_empty_bag_is_zero_and_a_full_one_the_sum_of_its_nearest_rows():
    config = replace(SMALL, slots=1)
    encoder = RepEncoder(config)
    pooled = []
    encoder.norm.register_forward_hook(lambda module, args, output: pooled.append(args[0]))
    values = torch.tensor([3, 7, config.vocab + 40, -9])
    encoder({1: (values, torch.tensor([0, 0, 2, 4, 4]))})
    table = encoder.table.weight
    expected = torch.stack([table[0] * 0, table[3] + table[7], table[-1] + table[0], table[0] * 0])
    torch.testing.assert_close(pooled[0], expected)


@pytest.mark.parametrize("offsets", [[0, 3], [0, 1, 3, 6], [0, 0, 2, 2, 5], [0, 0], [0, 1, 1]])
def test_the_mask_lets_a_row_see_its_own_user_up_to_itself(offsets):
    owner = [u for u in range(len(offsets) - 1) for _ in range(offsets[u], offsets[u + 1])]
    expected = [
        [owner[i] == owner[j] and j <= i for j in range(len(owner))] for i in range(len(owner))
    ]
    assert build_mask(torch.tensor(offsets)).tolist() == expected


def test_experts_add_up_to_the_two_likeliest_by_plain_probability():
    torch.manual_seed(0)
    moe = SparseMoE(SMALL)
    x = torch.randn(20, SMALL.width)
    probabilities = moe.gate(x).softmax(-1)
    for row in range(20):
        best = sorted(range(SMALL.experts), key=lambda e: -probabilities[row, e])[:2]
        expected = sum(probabilities[row, e] * moe.experts[e](x[row]) for e in best)
        torch.testing.assert_close(moe(x)[row], expected, rtol=1e-4, atol=1e-6)


def test_the_balance_is_measured_in_training_only():
    moe = SparseMoE(SMALL)
    x = torch.randn(6, SMALL.width)
    moe.eval()(x)
    assert moe.balance is None
    moe.train()(x)
    importance = moe.gate(x).softmax(-1).sum(0)
    torch.testing.assert_close(moe.balance, importance.std() / importance.mean())


def test_experts_without_rows_are_asked_but_not_searched():
    config = replace(SMALL, layers=8, experts=8)
    model = model_of(config)
    with torch.no_grad(), OpCounts() as counts:
        model(batch_of([users_of(config)[0][:1]], config))
    assert counts.seen["aten::_local_scalar_dense"] == 64
    assert counts.seen["aten::nonzero"] == 8 * config.top_k


def test_every_default_batch_asks_and_searches_all_experts_of_all_layers():
    config = CONFIGS["laptop"]
    model = model_of(config)
    wanted = ("aten::_local_scalar_dense", "aten::nonzero", "aten::repeat_interleave")
    found = []
    for batch in make_loader(config):
        with torch.no_grad(), OpCounts() as counts:
            model(batch)
        found.append(tuple(counts.seen[name] for name in wanted))
    assert found == [(64, 64, 1)] * 40


def test_logits_are_held_within_fifteen():
    model = model_of(SMALL)
    with torch.no_grad():
        model.head.weight *= 1000
    held = logits(model, users_of(SMALL))
    assert held.min() == -15 and held.max() == 15


def test_the_same_seed_gives_the_same_network(model):
    users = users_of(SMALL)
    assert torch.equal(logits(model, users), logits(model_of(SMALL), users))

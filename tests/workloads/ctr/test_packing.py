from dataclasses import replace

import pytest
import torch

from perfkit.rewrites.fused_embedding import fuse_slots
from perfkit.rewrites.fused_embedding.slots import IdPolicy
from perfkit.workloads.ctr.packing import (
    PackedBatches,
    columns_of_users,
    make_packed_loader,
    pack,
    with_truth,
)

from .inputs import SMALL, batch_of, users_of

CONFIG = replace(SMALL, test_users=0.5)
CPU = torch.device("cpu")


def packed(users, **settings):
    config = replace(CONFIG, **settings)
    columns = columns_of_users(users, config.slots)
    return pack(columns, torch.arange(len(users)), config)


def asked(row, yes=True):
    return replace(row, is_test=yes)


def test_slot_by_slot_the_ids_are_those_of_the_found_collate():
    users = [users_of(CONFIG)[0], [], *users_of(CONFIG)[1:4]]
    expected = batch_of(users)
    mine = packed(users)
    assert mine.slots.keys() == expected.slots.keys()
    for slot, (values, offsets) in expected.slots.items():
        assert torch.equal(mine.slots[slot][0], values.clamp(0, CONFIG.vocab - 1))
        assert torch.equal(mine.slots[slot][1], offsets)


@pytest.mark.parametrize("policy", ["clamp", "modulo"])
def test_token_by_token_they_are_those_of_the_found_batch_fused(policy):
    users = users_of(CONFIG)[:4]
    expected = fuse_slots(batch_of(users).slots, rows=CONFIG.vocab, policy=IdPolicy(policy))
    mine = packed(users, embedding="fused", id_policy=policy)
    assert torch.equal(mine.ids.ids, expected.ids)
    assert torch.equal(mine.ids.offsets, expected.offsets)
    assert mine.slots is None


def test_rows_to_predict_come_with_their_logids_and_labels():
    users = users_of(CONFIG)[:6]
    mine, found = packed(users), batch_of(users)
    assert mine.logid.tolist() == found.logid[found.pred_mask].tolist()
    assert mine.label.tolist() == found.label[found.pred_mask].tolist()
    assert torch.equal(mine.wanted, found.pred_mask.nonzero().squeeze(1))


def test_users_without_a_row_to_predict_stay_away_when_asked_to():
    users = users_of(CONFIG)
    config = replace(CONFIG, only_test_users=True, users=100)
    batches = PackedBatches(columns_of_users(users, CONFIG.slots), config)
    kept = [user for user in users if any(row.is_test for row in user)]
    assert 0 < len(kept) < len(users)
    assert batches[0].lengths.tolist() == [len(user) for user in kept]


def test_a_history_is_cut_after_its_last_row_to_predict():
    first, second, third = ([asked(row, False) for row in user] for user in users_of(CONFIG)[:3])
    first[2], first[4], second[0] = asked(first[2]), asked(first[4]), asked(second[0])
    mine = packed([first, second, third], cut_history=True)
    assert mine.lengths.tolist() == [5, 1, len(third)]
    assert mine.logid.tolist() == [first[2].logid, first[4].logid, second[0].logid]


def test_users_come_in_the_order_asked_for():
    users = users_of(CONFIG)[:3]
    columns = columns_of_users(users, CONFIG.slots)
    swapped = pack(columns, torch.tensor([2, 0]), CONFIG)
    direct = packed([users[2], users[0]])
    assert torch.equal(swapped.ids.ids, direct.ids.ids)
    assert swapped.logid.tolist() == direct.logid.tolist()


@pytest.mark.parametrize("users", [[], [[]], [[], []]])
def test_a_batch_without_rows_has_the_same_parts(users):
    mine = packed(users)
    assert (mine.rows, mine.wanted.numel(), len(mine.slots)) == (0, 0, CONFIG.slots)


def test_nobody_to_predict_means_no_batches():
    config = replace(CONFIG, only_test_users=True, test_users=0.0)
    columns = columns_of_users(users_of(config), config.slots)
    assert list(make_packed_loader(columns, config, CPU)) == []


def test_unknown_labels_are_taken_from_the_truth_and_known_ones_kept():
    users = users_of(CONFIG)[:2]
    columns = columns_of_users(users, CONFIG.slots)
    columns = replace(columns, label=columns.label.clone())
    columns.label[:2] = float("nan")
    before = columns.label[2:].clone()
    known = with_truth(columns, {int(columns.logid[0]): 1.0, int(columns.logid[3]): 7.0})
    assert known.label[0] == 1 and known.label[1].isnan()
    assert torch.equal(known.label[2:], before)

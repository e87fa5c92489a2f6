from dataclasses import fields, replace

import torch

from perfkit.workloads.ctr.config import CONFIGS
from perfkit.workloads.ctr.data import Batch, collate, draw_user, id_effects, make_loader

from .inputs import SMALL, batch_of, users_of


def tensors(batch: Batch) -> list[torch.Tensor]:
    rest = [getattr(batch, f.name) for f in fields(batch) if f.name != "slots"]
    return [tensor for bag in batch.slots.values() for tensor in bag] + rest


def test_a_user_is_the_same_whatever_the_run_around_it():
    effects = id_effects(SMALL)
    longer = replace(SMALL, users=2, batches=50)
    assert draw_user(SMALL, effects, 7) == draw_user(longer, effects, 7)
    assert draw_user(SMALL, effects, 7) != draw_user(SMALL, effects, 8)


def test_a_batch_is_moved_by_sixty_one_copies():
    batch = batch_of(users_of(SMALL))
    moved = tensors(batch.to(torch.device("meta")))
    assert len(moved) == 61
    assert all(tensor.is_meta for tensor in moved)
    assert not any(tensor.is_meta for tensor in tensors(batch))


def test_offsets_give_each_row_its_ids_back():
    users = users_of(SMALL)
    rows = [row for user in users for row in user]
    batch = batch_of(users)
    for slot, (values, offsets) in batch.slots.items():
        for index, row in enumerate(rows):
            bag = values[offsets[index] : offsets[index + 1]].tolist()
            assert bag == row.signs.get(slot, [])
        assert offsets[-1] == len(values)


def test_user_offsets_mark_users_even_without_rows():
    users = users_of(SMALL)
    batch = batch_of([users[0], [], users[1]])
    first, second = len(users[0]), len(users[1])
    assert batch.user_offsets.tolist() == [0, first, first, first + second]


def test_users_without_rows_are_drawn_when_asked_for():
    effects = id_effects(SMALL)
    assert draw_user(replace(SMALL, empty_users=1.0), effects, 0) == []
    assert all(draw_user(SMALL, effects, user) for user in range(20))


def test_rows_are_in_time_order_and_test_rows_come_last():
    for user in users_of(replace(SMALL, test_users=1.0)):
        times = [row.timestamp for row in user]
        asked = [row.is_test for row in user]
        assert times == sorted(times)
        assert asked == sorted(asked)
        assert any(asked) and not all(asked)


def test_shares_of_odd_values_are_as_configured():
    config = replace(CONFIGS["laptop"], batches=12)
    rows = [row for user in users_of(config) for row in user]
    single = [s for s in range(1, config.slots + 1) if s not in config.multi_valued]
    empty = sum(slot not in row.signs for row in rows for slot in single)
    ids = [i for row in rows for bag in row.signs.values() for i in bag]
    assert 0.09 < empty / (len(rows) * len(single)) < 0.11
    assert 0.008 < sum(i >= config.vocab for i in ids) / len(ids) < 0.012
    assert min(ids) >= 0
    assert max(len(row.signs[config.capped_slot]) for row in rows) == config.cap
    assert max(len(row.signs[config.multi_valued[1]]) for row in rows) > config.cap


def test_the_loader_gives_every_user_once_and_in_order():
    batches = list(make_loader(SMALL))
    expected = [row.logid for user in users_of(SMALL) for row in user]
    assert [logid for batch in batches for logid in batch.logid.tolist()] == expected
    assert len(batches) == SMALL.batches


def test_a_batch_without_any_row_has_the_same_parts():
    empty = collate([[], []], SMALL.slots)
    assert len(tensors(empty)) == 61
    assert empty.user_offsets.tolist() == [0, 0, 0]
    assert empty.label.shape == (0,)

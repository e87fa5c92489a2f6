"""Invented users with histories, and a DataLoader that concatenates some of them into a batch.

Each user is drawn from a generator seeded by (seed, user), so that a user is the same in every
run and in every batch. Lengths are log-normal, ids follow Zipf's law and are scattered over the
table, some ids lie beyond it, some slots are empty, and the last quarter of a test user's rows is
what the model is asked for. Whether a row was clicked depends on a hidden effect of each of its
ids, which `model.load_planted` gives to the network in place of training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from .config import Config

Bag = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Row:
    """One impression. `signs` holds the ids of each slot that has any."""

    logid: int
    timestamp: int
    label: int
    is_test: bool
    signs: dict[int, list[int]]


@dataclass
class Batch:
    """Several users' rows, one after the other.

    `slots[s]` is (values, offsets): the ids of slot s of row r are
    values[offsets[r]:offsets[r + 1]]. The rows of user u are user_offsets[u] to user_offsets[u+1].
    """

    slots: dict[int, Bag]
    user_offsets: torch.Tensor
    timestamp: torch.Tensor
    label: torch.Tensor
    pred_mask: torch.Tensor
    logid: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device, copied tensor by tensor."""
        return Batch(
            slots={
                slot: (values.to(device), offsets.to(device))
                for slot, (values, offsets) in self.slots.items()
            },
            user_offsets=self.user_offsets.to(device),
            timestamp=self.timestamp.to(device),
            label=self.label.to(device),
            pred_mask=self.pred_mask.to(device),
            logid=self.logid.to(device),
        )


def id_effects(config: Config) -> np.ndarray:
    """The hidden effect of every id on a click, one standard normal number per table row."""
    return np.random.default_rng(config.seed).standard_normal(config.vocab)


def draw_signs(config: Config, slot: int, count: int, rng: np.random.Generator) -> list[int]:
    """`count` ids of one slot. Neighbouring ranks land far apart in the table."""
    ranks = rng.zipf(config.zipf, size=count) % config.vocab
    ids = (ranks * 2_654_435_761 + slot * 40_503) % config.vocab
    beyond = rng.random(count) < config.out_of_range
    return [int(i) for i in np.where(beyond, ids + config.vocab, ids)]


def draw_row_signs(config: Config, rng: np.random.Generator) -> dict[int, list[int]]:
    """The ids of one row: empty slots are left out, one slot keeps at most `cap` ids."""
    signs = {}
    for slot in range(1, config.slots + 1):
        if slot in config.multi_valued:
            count = 1 + int(rng.poisson(1.0))
        else:
            count = int(rng.random() >= config.empty_bags)
        if slot == config.capped_slot:
            count = min(count, config.cap)
        if count:
            signs[slot] = draw_signs(config, slot, count, rng)
    return signs


def draw_user(config: Config, effects: np.ndarray, user: int) -> list[Row]:
    """All rows of one user, oldest first; possibly none."""
    rng = np.random.default_rng([config.seed, user])
    if rng.random() < config.empty_users:
        return []
    drawn = round(rng.lognormal(np.log(config.median_rows), config.sigma))
    length = min(max(drawn, config.min_rows), config.max_rows)
    is_test_user = rng.random() < config.test_users
    first_test = length - max(1, length // 4) if is_test_user else length
    times = np.sort(rng.integers(1_700_000_000, 1_702_592_000, size=length))
    rows = []
    for index in range(length):
        signs = draw_row_signs(config, rng)
        ids = [min(i, config.vocab - 1) for slot in signs.values() for i in slot]
        logit = config.base_logit + config.signal * effects[ids].sum() / config.slots**0.5
        rows.append(
            Row(
                logid=user * 1_000_000 + index,
                timestamp=int(times[index]),
                label=int(rng.random() < 1 / (1 + np.exp(-logit))),
                is_test=index >= first_test,
                signs=signs,
            )
        )
    return rows


class UserHistories(Dataset):
    """Every user's rows, held in memory."""

    def __init__(self, config: Config) -> None:
        effects = id_effects(config)
        count = config.users * config.batches
        self.users = [draw_user(config, effects, user) for user in range(count)]

    def __len__(self) -> int:
        return len(self.users)

    def __getitem__(self, index: int) -> list[Row]:
        return self.users[index]


def collate_slot(rows: list[Row], slot: int) -> Bag:
    """The ids of one slot over all rows, and where each row's ids begin."""
    values: list[int] = []
    offsets = [0]
    for row in rows:
        values.extend(row.signs.get(slot, []))
        offsets.append(len(values))
    return torch.tensor(values, dtype=torch.int64), torch.tensor(offsets, dtype=torch.int64)


def collate(users: list[list[Row]], slots: int) -> Batch:
    """Concatenate the users' rows into one batch, slot by slot, through Python lists."""
    rows = [row for user in users for row in user]
    user_offsets = [0]
    for user in users:
        user_offsets.append(user_offsets[-1] + len(user))
    return Batch(
        slots={slot: collate_slot(rows, slot) for slot in range(1, slots + 1)},
        user_offsets=torch.tensor(user_offsets, dtype=torch.int64),
        timestamp=torch.tensor([row.timestamp for row in rows], dtype=torch.int64),
        label=torch.tensor([row.label for row in rows], dtype=torch.float32),
        pred_mask=torch.tensor([row.is_test for row in rows], dtype=torch.bool),
        logid=torch.tensor([row.logid for row in rows], dtype=torch.int64),
    )


class Collate:
    """`collate` with the number of slots filled in; a class so that workers can receive it."""

    def __init__(self, slots: int) -> None:
        self.slots = slots

    def __call__(self, users: list[list[Row]]) -> Batch:
        return collate(users, self.slots)


def make_loader(config: Config, workers: int = 0) -> DataLoader:
    """Batches of `config.users` users in a fixed order."""
    return DataLoader(
        UserHistories(config),
        batch_size=config.users,
        shuffle=False,
        num_workers=workers,
        collate_fn=Collate(config.slots),
    )

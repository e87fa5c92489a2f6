"""Small batches for the tests of the ranking workload."""

from collections import Counter
from dataclasses import replace

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from perfkit.workloads.ctr.config import CONFIGS, Config
from perfkit.workloads.ctr.data import Batch, Row, UserHistories, collate, id_effects
from perfkit.workloads.ctr.model import Ranker, make_model

SMALL = replace(CONFIGS["laptop"], layers=2, experts=4, users=4, batches=3, max_rows=14, vocab=500)


def model_of(config: Config) -> Ranker:
    return make_model(config, torch.from_numpy(id_effects(config)).float())


def users_of(config: Config) -> list[list[Row]]:
    return UserHistories(config).users


def batch_of(users: list[list[Row]], config: Config = SMALL) -> Batch:
    return collate(users, config.slots)


class OpCounts(TorchDispatchMode):
    """Counts ATen operations while active."""

    def __enter__(self):
        self.seen = Counter()
        return super().__enter__()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen[func._schema.name] += 1
        return func(*args, **(kwargs or {}))

"""The model and data of the integration tests: nothing to compute, many steps."""

from __future__ import annotations

import torch
from torch.utils.data import DataLoader, TensorDataset


def small_model() -> torch.nn.Module:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))


def batches(count: int) -> DataLoader:
    rows = torch.randn(count * 4, 8)
    return DataLoader(TensorDataset(rows, rows.sum(1, keepdim=True)), batch_size=4)

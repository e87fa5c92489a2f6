"""A small model under DistributedDataParallel on gloo, for torchrun: `train_ranks.py [steps] [fails on]`."""

import os
import sys

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

torch.set_num_threads(1)
distributed.init_process_group("gloo")
steps = int(sys.argv[1]) if len(sys.argv) > 1 else 30
fails_on = sys.argv[2] if len(sys.argv) > 2 else None
model = DistributedDataParallel(torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU()))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(steps):
    optimizer.zero_grad()
    loss = model(torch.randn(16, 64)).square().mean()
    loss.backward()
    optimizer.step()
    if step == 3 and fails_on == os.environ["RANK"]:
        raise ValueError("this rank fails")
print(f"rank {distributed.get_rank()} loss {loss.item():.3f}")
distributed.destroy_process_group()

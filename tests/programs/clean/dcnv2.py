"""Deep and cross network of the second kind over one fused table: no wait, no loop over features."""

import torch
from torch import nn

from tests.programs.clean.batches import on_device


class Ranker(nn.Module):
    def __init__(self, features=6, rows=50, width=4, crosses=2):
        super().__init__()
        self.table = nn.Embedding(features * rows, width)
        self.register_buffer("offsets", torch.arange(features) * rows)
        wide = features * width
        self.crosses = nn.ModuleList(nn.Linear(wide, wide) for _ in range(crosses))
        self.deep = nn.Sequential(nn.Linear(wide, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU())
        self.head = nn.Linear(wide + 8, 1)

    def forward(self, ids):
        first = x = self.table(ids + self.offsets).flatten(1)
        for cross in self.crosses:
            x = first * cross(x) + x
        return self.head(torch.cat([x, self.deep(first)], -1)).squeeze(-1)


def main(steps=8, device="cuda"):
    torch.manual_seed(0)
    model = Ranker().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    batches = [(torch.randint(50, (16, 6)), torch.rand(16).round()) for _ in range(steps)]
    for ids, clicked in on_device(batches, device):
        optimizer.zero_grad(set_to_none=True)
        nn.functional.binary_cross_entropy_with_logits(model(ids), clicked).backward()
        optimizer.step()

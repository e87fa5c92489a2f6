"""ConvNeXt-like image classifier, trained without a wait."""

import torch
from torch import nn

from tests.programs.clean.batches import on_device


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mix = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 1e-6))

    def forward(self, x):
        y = self.norm(self.mix(x).permute(0, 2, 3, 1))
        y = self.down(nn.functional.gelu(self.up(y))) * self.scale
        return x + y.permute(0, 3, 1, 2)


def main(steps=8, device="cuda"):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 4, stride=4), Block(8), Block(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 5),
    ).to(device)  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    batches = [(torch.randn(4, 3, 32, 32), torch.randint(5, (4,))) for _ in range(steps)]
    for images, labels in on_device(batches, device):
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

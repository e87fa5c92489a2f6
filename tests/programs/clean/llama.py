"""A decoder of Llama's shape: rotary positions, grouped heads, gated units, no wait."""

import torch
from torch import nn

from tests.programs.clean.batches import on_device


def rotated(x, cos, sin):
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat([-right, left], -1) * sin


class Layer(nn.Module):
    def __init__(self, width, heads, groups):
        super().__init__()
        self.heads, self.groups, size = heads, groups, width // heads
        self.q, self.k, self.v = (
            nn.Linear(width, n * size, bias=False) for n in (heads, groups, groups)
        )
        self.o = nn.Linear(width, width, bias=False)
        self.gate, self.up = (nn.Linear(width, 3 * width, bias=False) for _ in range(2))
        self.down = nn.Linear(3 * width, width, bias=False)
        self.norm1, self.norm2 = nn.RMSNorm(width), nn.RMSNorm(width)

    def forward(self, x, cos, sin):
        h = self.norm1(x)
        q, k, v = (
            part.unflatten(-1, (n, -1)).transpose(1, 2)
            for part, n in (
                (self.q(h), self.heads), (self.k(h), self.groups), (self.v(h), self.groups)
            )
        )  # fmt: skip
        q, k = rotated(q, cos, sin), rotated(k, cos, sin)
        k, v = (t.repeat_interleave(self.heads // self.groups, dim=1) for t in (k, v))
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(y.transpose(1, 2).flatten(2))
        h = self.norm2(x)
        return x + self.down(nn.functional.silu(self.gate(h)) * self.up(h))


class Decoder(nn.Module):
    def __init__(self, vocab=32, width=32, heads=4, layers=2, length=16):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.layers = nn.ModuleList(Layer(width, heads, 2) for _ in range(layers))
        self.norm, self.head = nn.RMSNorm(width), nn.Linear(width, vocab, bias=False)
        size = width // heads
        angle = torch.outer(torch.arange(length), 1e4 ** (-torch.arange(0, size, 2) / size))
        angle = torch.cat([angle, angle], -1)
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def forward(self, ids):
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        return self.head(self.norm(x))


def main(steps=8, device="cuda"):
    torch.manual_seed(0)
    model = Decoder().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    for (ids,) in on_device([(torch.randint(32, (2, 17)),) for _ in range(steps)], device):
        optimizer.zero_grad(set_to_none=True)
        out = model(ids[:, :-1])
        nn.functional.cross_entropy(out.flatten(0, 1), ids[:, 1:].flatten()).backward()
        optimizer.step()

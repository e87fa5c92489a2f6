"""A small transformer made of plain tensors, to prove and to measure drafting on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from perfkit.rewrites.branch_drafting._attention import shared_prefix_attention

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Layer:
    """Weights of one layer: [3 D, D], [D, D], [F, D], [D, F]."""

    qkv: Tensor
    out: Tensor
    up: Tensor
    down: Tensor


@dataclass(frozen=True)
class Decoder:
    """Weights: embedding and head [V, D], positions [longest, D], layers; `heads` divides D."""

    embedding: Tensor
    positions: Tensor
    head: Tensor
    layers: tuple[Layer, ...]
    heads: int

    def prefill(self, tokens: Tensor) -> tuple[Tensor, list[Pair]]:
        """Logits [P, V] after the tokens [P, T], and keys and values [P, H, T, d] by layer."""
        logits, own = self.extend(tokens.unsqueeze(1), None, None)
        return logits[:, 0, -1], [(key[:, 0], value[:, 0]) for key, value in own]

    def extend(
        self, tokens: Tensor, prefix: list[Pair] | None, own: list[Pair] | None
    ) -> tuple[Tensor, list[Pair]]:
        """Logits [P, k, t, V] of tokens [P, k, t] behind prefix and own tokens, and own ones now."""
        before = prefix[0][0].shape[-2] if prefix else 0
        before += own[0][0].shape[-2] if own else 0
        x = self.embedding[tokens] + self.positions[before : before + tokens.shape[-1]]
        grown = []
        for number, layer in enumerate(self.layers):
            query, key, value = self._split(x @ layer.qkv.T)
            if own:
                key = torch.cat([own[number][0], key], -2)
                value = torch.cat([own[number][1], value], -2)
            grown.append((key, value))
            nothing = key[:, 0, :, :0], value[:, 0, :, :0]
            mixed = shared_prefix_attention(
                query, prefix[number] if prefix else nothing, (key, value)
            )
            x = x + mixed.transpose(2, 3).flatten(-2) @ layer.out.T
            x = x + torch.relu(x @ layer.up.T) @ layer.down.T
        return x @ self.head.T, grown

    def _split(self, qkv: Tensor) -> tuple[Tensor, ...]:
        p, k, t, _ = qkv.shape
        return qkv.view(p, k, t, 3, self.heads, -1).permute(3, 0, 1, 4, 2, 5).unbind(0)


def drawn_decoder(
    vocab: int, width: int, layers: int, heads: int, longest: int, seed: int
) -> Decoder:
    """Random weights, scaled so that activations stay of order one."""
    generator = torch.Generator().manual_seed(seed)

    def matrix(rows: int, columns: int, scale: float = 1.0) -> Tensor:
        return torch.randn(rows, columns, generator=generator) * scale * columns**-0.5

    def layer() -> Layer:
        return Layer(
            matrix(3 * width, width),
            matrix(width, width),
            matrix(2 * width, width),
            matrix(width, 2 * width, 0.5),
        )

    return Decoder(
        embedding=matrix(vocab, width, width**0.5),
        positions=matrix(longest, width, width**0.5),
        head=matrix(vocab, width),
        layers=tuple(layer() for _ in range(layers)),
        heads=heads,
    )

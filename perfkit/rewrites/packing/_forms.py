"""A token-wise network over a padded batch, as found and packed, and the batches to try it on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from perfkit.rewrites._rewrite import Case, Inputs
from perfkit.rewrites.packing.layout import Packing, pack, unpack


@dataclass(frozen=True)
class Network:
    """Position embeddings and `layers` residual two-layer networks, all token by token.

    positions [longest, D], inner and outer [layers, D, F].
    """

    positions: Tensor
    inner: Tensor
    outer: Tensor

    @classmethod
    def drawn(cls, longest: int, width: int, layers: int, generator: torch.Generator) -> Network:
        shape = (layers, width, 4 * width)
        inner, outer = (torch.randn(shape, generator=generator) / width**0.5 for _ in range(2))
        positions = torch.randn(longest, width, generator=generator)
        return cls(positions.requires_grad_(), inner.requires_grad_(), outer.requires_grad_())

    def block(self, x: Tensor, layer: int) -> Tensor:
        """[..., D] to the same."""
        hidden = F.gelu(F.layer_norm(x, x.shape[-1:]) @ self.inner[layer])
        return x + hidden @ self.outer[layer].t() / 2

    def __call__(self, x: Tensor, positions: Tensor) -> Tensor:
        x = x + F.embedding(positions, self.positions)
        for layer in range(len(self.inner)):
            x = self.block(x, layer)
        return x


def padded(x: Tensor, lengths: Tensor, network: Network) -> Tensor:
    """As found: every place is computed, then the padding is blanked."""
    places = torch.arange(x.shape[1], device=x.device)
    out = network(x, places.expand(x.shape[:2]))
    inside = places < lengths.to(x.device)[:, None]
    return torch.where(inside[..., None], out, 0)


def packed(x: Tensor, lengths: Tensor, network: Network) -> Tensor:
    """Packed once, unpacked once."""
    where = Packing.of(lengths, x.shape[1]).to(x.device)
    return unpack(network(pack(x, where), where.positions), where)


def packed_in_every_layer(x: Tensor, lengths: Tensor, network: Network) -> Tensor:
    """Packed around each layer, for a model whose other layers want padding."""
    where = Packing.of(lengths, x.shape[1]).to(x.device)
    x = x + F.embedding(torch.arange(x.shape[1], device=x.device), network.positions)
    for layer in range(len(network.inner)):
        x = unpack(network.block(pack(x, where), layer), where)
    return x


def running_positions(x: Tensor, lengths: Tensor, network: Network) -> Tensor:
    """Wrong: packed tokens counted on through all sequences."""
    where = Packing.of(lengths, x.shape[1]).to(x.device)
    places = torch.arange(where.total, device=x.device).clamp(max=x.shape[1] - 1)
    return unpack(network(pack(x, where), places), where)


def cut_to_the_mean(x: Tensor, lengths: Tensor, network: Network) -> Tensor:
    """Wrong: what is longer than the mean is thrown away."""
    mean = int(lengths.double().mean().ceil())
    return F.pad(
        padded(x[:, :mean], lengths.clamp(max=mean), network), (0, 0, 0, x.shape[1] - mean)
    )


def lengths_of(sequences: int, mean: int, spread: float) -> Tensor:
    """Log-normal lengths of at least 1, always the same."""
    generator = torch.Generator().manual_seed(round(spread * 100))
    drawn = (spread * torch.randn(sequences, generator=generator)).exp()
    return (mean * drawn / drawn.mean()).round().long().clamp(min=1)


def case(
    name: str,
    lengths: Tensor,
    width: int = 4,
    *,
    extra: int = 0,
    measured: bool = False,
    dtypes: tuple[torch.dtype, ...] = (torch.float64, torch.float32),
) -> Case:
    """With noise in the padding, and `extra` places that no sequence needs."""

    def make(seed: int) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        longest = (int(lengths.max()) if lengths.numel() else 0) + extra
        network = Network.drawn(longest, width, 2, generator)
        x = torch.randn(len(lengths), longest, width, generator=generator)
        return x.requires_grad_(), lengths, network

    shape = f"{len(lengths)} sequences, D = {width}"
    return Case(name, make, shape, stays_on_host=(1,), measured=measured, dtypes=dtypes)

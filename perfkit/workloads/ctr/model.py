"""The ranking network as found: slot by slot, mask by mask, expert by expert.

Each row is a token. Its 28 slots are embedded and summed, layers of causal attention within a user
and a sparse mixture of experts follow, and a linear head gives the logit of a click.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .config import Config
from .data import Bag, Batch


class RepEncoder(nn.Module):
    """Rows of id bags to vectors: one lookup and one sum per slot, then a projection."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.vocab = config.vocab
        self.table = nn.Embedding(config.vocab, config.embedding_width)
        self.norm = nn.LayerNorm(config.slots * config.embedding_width)
        self.project = nn.Linear(config.slots * config.embedding_width, config.width)

    def forward(self, slots: dict[int, Bag]) -> Tensor:
        """[S, width]; an empty bag is the zero vector, an id outside the table its nearest row."""
        pooled = []
        for values, offsets in slots.values():
            ids = values.clamp(0, self.vocab - 1)
            vectors = self.table(ids)
            pooled.append(torch.segment_reduce(vectors, "sum", offsets=offsets, initial=0))
        return self.project(self.norm(torch.cat(pooled, dim=-1)))


def build_mask(user_offsets: Tensor) -> Tensor:
    """Boolean [S, S]: may row i look at row j? Yes if of the same user and not later."""
    lengths = user_offsets[1:] - user_offsets[:-1]
    users = torch.arange(lengths.numel(), device=user_offsets.device)
    owner = users.repeat_interleave(lengths)
    difference = owner.unsqueeze(1) - owner.unsqueeze(0)
    same_user = (difference == 0).to(torch.int32)
    return torch.tril(same_user).bool()


class Attention(nn.Module):
    """Multi-head attention that writes out the whole score matrix."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.head_width = config.width // config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        rows = x.shape[0]
        # per head [q | k | v], not all q first
        qkv = self.qkv(x).view(rows, self.heads, 3, self.head_width)
        q, k, v = qkv.permute(2, 1, 0, 3).unbind(0)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_width)
        scores = scores.masked_fill(~mask, float("-inf"))
        mixed = scores.softmax(dim=-1) @ v
        return self.out(mixed.transpose(0, 1).flatten(1))


class Expert(nn.Module):
    """A two-layer network with ReLU."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(torch.relu(self.up(x)))


class SparseMoE(nn.Module):
    """Each row goes to its `top_k` likeliest experts, weighted by their plain probabilities."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.top_k = config.top_k
        self.gate = nn.Linear(config.width, config.experts)
        self.experts = nn.ModuleList(
            Expert(config.width, config.hidden) for _ in range(config.experts)
        )
        self.balance: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        probabilities = self.gate(x).softmax(dim=-1)
        if self.training:
            importance = probabilities.sum(dim=0)
            self.balance = importance.std() / importance.mean()
        weights, chosen = probabilities.topk(self.top_k, dim=-1)
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            hit = chosen == number
            mask = hit.any(dim=-1)
            if mask.any():
                rows = mask.nonzero().squeeze(-1)
                weight = (weights * hit).sum(dim=-1, keepdim=True)
                out[rows] += expert(x[rows]) * weight[rows]
        return out


class Layer(nn.Module):
    """Attention and experts, each after a LayerNorm and around a residual."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(config.width)
        self.attention = Attention(config)
        self.norm_moe = nn.LayerNorm(config.width)
        self.moe = SparseMoE(config)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attention(self.norm_attention(x), mask)
        return x + self.moe(self.norm_moe(x))


class Ranker(nn.Module):
    """From a batch of users' rows to one logit per row."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.encoder = RepEncoder(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.head = nn.Linear(config.width, 1)

    def forward(self, batch: Batch) -> Tensor:
        """Logits [S], held within -15 and 15."""
        x = self.encoder(batch.slots)
        mask = build_mask(batch.user_offsets)
        for layer in self.layers:
            x = layer(x, mask)
        return self.head(x).squeeze(-1).clamp(-15.0, 15.0)


@torch.no_grad()
def load_planted(model: Ranker, effects: Tensor, config: Config) -> None:
    """Stand-in for a trained checkpoint: the network is given the effects that made the labels.

    They sit in the first column of the embedding table and travel along the first channel of the
    residual stream to the head; attention and experts disturb them a little, so that quality
    answers to what they compute. Gates are made even-handed, as training with a balance loss
    would make them: every expert then has work in every layer of a batch of the default size.
    """
    model.encoder.table.weight[:, 0] = effects
    project = model.encoder.project
    project.weight[0] = 0.0
    project.weight[0, :: config.embedding_width] = config.slots**-0.5
    project.bias.zero_()
    for layer in model.layers:
        for last in (layer.attention.out, *(expert.down for expert in layer.moe.experts)):
            last.weight[0] *= 0.2
            last.bias.zero_()
        nn.init.orthogonal_(layer.moe.gate.weight)
        layer.moe.gate.weight[:, 0] = 0.0
        layer.moe.gate.bias.zero_()
    model.head.weight *= 0.2
    model.head.weight[0, 0] = config.signal
    model.head.bias.fill_(config.base_logit)


def make_model(config: Config, effects: Tensor) -> Ranker:
    """A network for inference, the same for the same seed."""
    torch.manual_seed(config.seed)
    model = Ranker(config)
    load_planted(model, effects, config)
    return model.eval()

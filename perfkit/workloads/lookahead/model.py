"""The transformer of both models, its key-value cache, and weights planted instead of trained."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from perfkit.rewrites.branch_drafting import layer_map, shared_prefix_attention

from .config import Config
from .text import SYLLABLE, UNKNOWN, Language

Pair = tuple[Tensor, Tensor]


@dataclass
class Cache:
    """Keys and values of what is settled: by layer [P, H, capacity, d]; `lengths` int64 [P] count."""

    layers: list[Pair]
    lengths: Tensor

    def commit(self, own: list[Pair], branch: Tensor, count: Tensor) -> None:
        """Take over the first `count` [P] entries of one branch [P] of what was added.

        Entries behind them are written too, and overwritten by the next: nothing looks at them.
        """
        p, _, h, s, d = own[0][0].shape
        at = (self.lengths.view(-1, 1) + torch.arange(s, device=count.device)).clamp_max(
            self.layers[0][0].shape[2] - 1
        )
        at = at.view(p, 1, s, 1).expand(p, h, s, d)
        chosen = branch.view(-1, 1, 1, 1, 1).expand(p, 1, h, s, d)
        for kept, added in zip(self.layers, own, strict=True):
            for into, of in zip(kept, added, strict=True):
                into.scatter_(2, at, of.gather(1, chosen).squeeze(1))
        self.lengths += count


class Layer(nn.Module):
    """Attention and a network with ReLU, each around a residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x: Tensor, prefix: Pair, own: Pair | None, lengths: Tensor) -> tuple:
        """[P, k, t, width], and keys and values of the branches with these tokens."""
        p, k, t, _ = x.shape
        qkv = self.qkv(self.norm(x)).view(p, k, t, 3, self.heads, -1)
        query, key, value = qkv.permute(3, 0, 1, 4, 2, 5).unbind(0)
        if own is not None:
            key, value = torch.cat([own[0], key], -2), torch.cat([own[1], value], -2)
        mixed = shared_prefix_attention(query, prefix, (key, value), lengths)
        x = x + self.out(mixed.transpose(2, 3).flatten(-2))
        return x + self.down(torch.relu(self.up(self.norm_mlp(x)))), (key, value)


class Transformer(nn.Module):
    """A decoder over branches that share a prefix."""

    def __init__(self, vocab: int, width: int, heads: int, layers: int, longest: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab, width)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab)
        self.register_buffer("positions", _waves(longest, width))

    def forward(
        self, tokens: Tensor, cache: Cache, own: list[Pair] | None = None
    ) -> tuple[Tensor, list[Pair]]:
        """Logits [P, k, t, V] of tokens [P, k, t] behind the cache and what the branches have."""
        before = own[0][0].shape[-2] if own else 0
        steps = torch.arange(before, before + tokens.shape[-1], device=tokens.device)
        places = (cache.lengths.view(-1, 1) + steps).clamp_max(self.positions.shape[0] - 1)
        x = self.embedding(tokens) + self.positions[places].unsqueeze(1)
        grown = []
        for number, layer in enumerate(self.layers):
            x, pair = layer(x, cache.layers[number], own[number] if own else None, cache.lengths)
            grown.append(pair)
        return self.head(self.norm(x)), grown

    def prefill(self, tokens: Tensor, lengths: Tensor, capacity: int) -> Cache:
        """A cache of tokens [P, T], of which the first `lengths` [P] count."""
        p = tokens.shape[0]
        layer: Layer = self.layers[0]  # type: ignore[assignment]
        shape = (p, layer.heads, capacity, self.embedding.embedding_dim // layer.heads)
        weight = self.embedding.weight
        empty = [(weight.new_zeros(shape), weight.new_zeros(shape)) for _ in self.layers]
        cache = Cache(empty, torch.zeros_like(lengths))
        _, own = self(tokens.unsqueeze(1), Cache([_nothing(pair) for pair in empty], cache.lengths))
        cache.commit(own, torch.zeros_like(lengths), lengths)
        return cache


def _nothing(pair: Pair) -> Pair:
    return pair[0][:, :, :0], pair[1][:, :, :0]


def _waves(longest: int, width: int) -> Tensor:
    """Sines and cosines of positions, [longest, width]."""
    places = torch.arange(longest).unsqueeze(1)
    rates = torch.exp(-math.log(1000.0) * torch.arange(0, width, 2) / width)
    return torch.cat([(places * rates).sin(), (places * rates).cos()], -1)[:, :width]


def make_models(config: Config, language: Language) -> tuple[Transformer, Transformer]:
    """Main and draft model, the same for the same seed: planted in place of training.

    Both share what a syllable means (embedding and head); the draft has some of the main model's
    layers, spread over its depth, and so agrees with it as far as the left-out layers allow.
    """
    torch.manual_seed(config.seed)
    longest = config.prompt + config.new_tokens + config.longest + 8
    sizes = config.width, config.heads
    main = Transformer(len(language.main.pieces), *sizes, config.main_layers, longest)
    draft = Transformer(len(language.draft.pieces), *sizes, config.draft_layers, longest)
    with torch.no_grad():
        main.head.weight.normal_(0, config.gain * config.width**-0.5)
        main.head.bias.zero_()
        for layer in main.layers:
            layer.out.weight *= 2 * config.depth_scale
            layer.down.weight *= 2 * config.depth_scale
        _plant_draft(main, draft, language)
    return main.eval(), draft.eval()


def _plant_draft(main: Transformer, draft: Transformer, language: Language) -> None:
    groups = layer_map(len(main.layers), len(draft.layers))
    for layer, group in zip(draft.layers, groups, strict=True):
        layer.load_state_dict(main.layers[group[-1]].state_dict())
    draft.norm.load_state_dict(main.norm.state_dict())
    for token, piece in enumerate(language.draft.pieces):
        if piece == UNKNOWN:
            draft.head.weight[token] = 0.0
            draft.head.bias[token] = -30.0
            continue
        first, last = piece[:SYLLABLE], piece[-SYLLABLE:]
        draft.embedding.weight[token] = main.embedding.weight[language.main.ids[last]]
        draft.head.weight[token] = main.head.weight[language.main.ids[first]]
        # a pair is preferred to its first syllable
        draft.head.bias[token] = 0.0 if first == last else 0.5

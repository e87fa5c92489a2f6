"""Small training steps of many kinds of network, for costs to be held against torch's own counter.

Each maker returns a step: forward, backward, optimiser. Transformers' networks need that package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Step = Callable[[], Any]


def training(model: nn.Module, forward: Callable[[], Tensor], fused: bool = False) -> Step:
    """A step with AdamW over whatever the forward pass returns."""
    optimizer = torch.optim.AdamW(model.parameters(), fused=fused or None, foreach=not fused)

    def step() -> None:
        optimizer.zero_grad()
        forward().square().mean().backward()
        optimizer.step()

    return step


class _Residual(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outside),
        )
        self.skip = nn.Conv2d(inside, outside, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.skip(x))


def resnet() -> Step:
    """Residual blocks with batch norm, pooled, classified."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 7, 2, 3),
        nn.MaxPool2d(3, 2, 1),
        _Residual(8, 8, 1),
        _Residual(8, 16, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )
    images, labels = torch.rand(2, 3, 32, 32), torch.randint(10, (2,))
    return training(model, lambda: F.cross_entropy(model(images), labels))


def encoder() -> Step:
    """torch.nn.TransformerEncoder with dropout."""
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    tokens = torch.rand(2, 12, 32)
    return training(model, lambda: model(tokens))


def recurrent() -> Step:
    """Two LSTM layers; oneDNN is off so that its products are seen one by one."""
    model, tokens = nn.LSTM(8, 16, 2, batch_first=True), torch.rand(3, 5, 8)

    def forward() -> Tensor:
        with torch.backends.mkldnn.flags(enabled=False):
            return model(tokens)[0]

    return training(model, forward)


class _Recommender(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bags = nn.ModuleList(nn.EmbeddingBag(50, 8, mode="sum") for _ in range(3))
        self.bottom = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8))
        self.top = nn.Sequential(nn.Linear(8 + 6, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, dense: Tensor, ids: list[Tensor], offsets: Tensor) -> Tensor:
        looked = [bag(one, offsets) for bag, one in zip(self.bags, ids, strict=True)]
        stacked = torch.stack([self.bottom(dense), *looked], 1)
        pairs = torch.bmm(stacked, stacked.transpose(1, 2))
        rows, columns = torch.tril_indices(4, 4, -1)
        return self.top(torch.cat([stacked[:, 0], pairs[:, rows, columns]], 1))


def recommender() -> Step:
    """Bags of embeddings, dense features, products between all pairs (DLRM)."""
    model = _Recommender()
    dense, offsets = torch.rand(6, 4), torch.arange(0, 18, 3)
    ids, clicked = [torch.randint(50, (18,)) for _ in range(3)], torch.rand(6, 1).round()

    def forward() -> Tensor:
        return F.binary_cross_entropy_with_logits(model(dense, ids, offsets), clicked)

    return training(model, forward)


class _UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, padding=1)
        self.deep = nn.Conv2d(8, 16, 3, 2, 1)
        self.norm = nn.GroupNorm(4, 16)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.out = nn.Conv2d(16, 1, 3, padding=2, dilation=2)

    def forward(self, x: Tensor) -> Tensor:
        high = F.silu(self.down(x))
        low = F.silu(self.norm(self.deep(high)))
        low = F.interpolate(low, scale_factor=2, mode="bilinear")
        low = F.avg_pool2d(low, 2)
        return self.out(torch.cat([high, self.up(low)], 1))


def unet() -> Step:
    """Down and up again: transposed and dilated convolutions, interpolation, group norm."""
    model, images = _UNet(), torch.rand(2, 3, 16, 16)
    return training(model, lambda: F.mse_loss(model(images), images[:, :1]))


class _Vision(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, 32))
        self.place = nn.Parameter(torch.zeros(1, 17, 32))
        self.norm, self.qkv, self.out = nn.LayerNorm(32), nn.Linear(32, 96), nn.Linear(32, 32)
        self.head = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.place
        q, k, v = self.qkv(self.norm(x)).unflatten(-1, (3, 4, 8)).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return F.log_softmax(self.head(F.gelu(x)[:, 0]), -1)


def vision() -> Step:
    """Patches, a class token, fused attention."""
    model, images = _Vision(), torch.rand(2, 3, 16, 16)
    labels = torch.randint(5, (2,))
    return training(model, lambda: F.nll_loss(model(images), labels))


class _Mixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.LayerNorm(16), nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16)
        )
        self.second = nn.Sequential(nn.Linear(9, 18), nn.GELU(), nn.Linear(18, 9))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.first(x)
        return x + self.second(x.transpose(1, 2)).transpose(1, 2)


def mixer() -> Step:
    """Linear layers over channels and over places, and the fused AdamW."""
    model, tokens = _Mixer(), torch.rand(4, 9, 16)
    return training(model, lambda: model(tokens), fused=True)


class _Experts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(16, 4)
        self.up, self.down = (nn.Parameter(torch.rand(4, a, b)) for a, b in ((16, 32), (32, 16)))
        self.norm = nn.RMSNorm(16)

    def forward(self, x: Tensor) -> Tensor:
        weights, chosen = self.gate(self.norm(x)).softmax(-1).topk(2)
        out = torch.zeros_like(x)
        for expert in range(4):
            rows, slots = (chosen == expert).nonzero(as_tuple=True)
            hidden = F.silu(x[rows] @ self.up[expert]) @ self.down[expert]
            out = out.index_add(0, rows, hidden * weights[rows, slots].unsqueeze(1))
        return out


def experts() -> Step:
    """A mixture of experts, each row through two of four."""
    model, rows = _Experts(), torch.rand(24, 16)
    return training(model, lambda: model(rows))


def gru_with_weight_norm() -> Step:
    """A weight-normed convolution over time before a GRU cell, half of it in bfloat16."""
    conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 8, 3, padding=1))
    cell, head = nn.GRUCell(8, 8), nn.Linear(8, 3)
    model, signal = nn.ModuleList([conv, cell, head]), torch.rand(2, 4, 6)

    def forward() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            state = torch.zeros(2, 8)
            for step in F.leaky_relu(conv(signal)).unbind(-1):
                state = cell(step.float(), state.float())
            return head(state).float()

    return training(model, forward)


def ctr() -> Step:
    """Our ranking workload as found: inference of one batch."""
    from perfkit.workloads.ctr.config import CONFIGS
    from perfkit.workloads.ctr.stages import end_to_end

    small = replace(CONFIGS["laptop"], layers=2, experts=4, users=4, max_rows=14, vocab=500)
    return end_to_end(small).form("found").run


def lens() -> Step:
    """Our lens workload: two steps of training."""
    from contextlib import redirect_stdout
    from io import StringIO

    from perfkit.workloads.lens.config import CONFIGS
    from perfkit.workloads.lens.losses import EXACT
    from perfkit.workloads.lens.training import train

    small = replace(CONFIGS["laptop"], steps=2)

    def step() -> None:
        with redirect_stdout(StringIO()):
            train(small, EXACT["slow_dict"], torch.device("cpu"))

    return step


def lookahead() -> Step:
    """Our speculative decoding as found, greedy."""
    from perfkit.workloads.lookahead.config import CONFIGS
    from perfkit.workloads.lookahead.generation import generate

    small = replace(CONFIGS["laptop"], form="found", mode="greedy", new_tokens=6)
    return lambda: generate(small, torch.device("cpu"))


def _language(config: str, model_class: str, **sizes: Any) -> Step:
    import transformers

    chosen = getattr(transformers, config)(
        vocab_size=64, bos_token_id=0, eos_token_id=1, attn_implementation="eager", **sizes
    )
    model = getattr(transformers, model_class)(chosen)
    ids = torch.randint(64, (2, 12))
    return training(model, lambda: model(input_ids=ids, labels=ids).loss)


def llama() -> Step:
    """Hugging Face's Llama, two layers, eager attention."""
    return _language(
        "LlamaConfig",
        "LlamaForCausalLM",
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )


def gpt2() -> Step:
    """Hugging Face's GPT-2, two layers, eager attention."""
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 32}
    return _language("GPT2Config", "GPT2LMHeadModel", **sizes)


def bert() -> Step:
    """Hugging Face's BERT as an encoder, two layers."""
    import transformers

    config = transformers.BertConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        attn_implementation="sdpa",
    )
    model, ids = transformers.BertModel(config), torch.randint(64, (2, 12))
    return training(model, lambda: model(input_ids=ids).last_hidden_state)


OURS: dict[str, Callable[[], Step]] = {"ctr": ctr, "lens": lens, "lookahead": lookahead}
BUILT: dict[str, Callable[[], Step]] = {
    "resnet": resnet,
    "encoder": encoder,
    "recurrent": recurrent,
    "recommender": recommender,
    "unet": unet,
    "vision": vision,
    "mixer": mixer,
    "experts": experts,
    "gru_with_weight_norm": gru_with_weight_norm,
}
TRANSFORMERS: dict[str, Callable[[], Step]] = {"llama": llama, "gpt2": gpt2, "bert": bert}

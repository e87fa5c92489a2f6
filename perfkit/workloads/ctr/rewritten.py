"""The ranking network in its rewritten forms, over the parameters of the one as found.

Every part can stay as it was found or take another form, see `Config`; the forms come from
`perfkit.rewrites`. Modules are the found ones, under the same names and with the same parameters;
only the experts are stacked, and can be taken apart again (`found_state`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from perfkit.rewrites.block_diagonal_attention import AttentionPlan, block_diagonal_attention
from perfkit.rewrites.fused_embedding import IdPolicy, fused_embedding
from perfkit.rewrites.mixed_precision_islands import mixed_precision_islands
from perfkit.rewrites.moe_dispatch import Experts, merge_experts, moe_dispatch, stack_experts
from perfkit.rewrites.segment_ids import segment_ids

from .config import Config
from .model import Attention, Layer, Ranker, RepEncoder, SparseMoE, build_mask
from .packing import Packed

Call = Callable[..., Tensor]
ATTENTION_FORMS = {
    "sdpa": "dense mask",
    "per_user": "by user",
    "buckets": "buckets",
    "flex": "flex",
    "varlen": "varlen",
    "auto": "",
}
MOE_FORMS = {
    "found": "loop",  # where merged experts make two choices one, which the found code gets wrong
    "loop": "loop",
    "sorted": "sorted",
    "sliced": "sliced",
    "grouped": "grouped",
    "dense": "folded",
    "auto": "",
}


def through(module: nn.Module, x: Tensor) -> Tensor:
    """A module on input of its own precision."""
    weight: Tensor = module.weight  # type: ignore[assignment]
    return module(x.to(weight.dtype))


def opaque(config: Config, call: Call) -> Call:
    """`call`, which torch.compile leaves as it is: these depend on lengths held on the host."""
    return torch.compiler.disable(call) if config.compiled else call


class Encoder(nn.Module):
    """`RepEncoder` with one lookup for all slots."""

    def __init__(self, found: RepEncoder, config: Config) -> None:
        super().__init__()
        self.fused = config.embedding == "fused"
        self.look_up = opaque(config, fused_embedding)
        self.found = found

    def forward(self, batch: Packed) -> Tensor:
        """[S, width]; ids were admitted to the table when the batch was packed."""
        if not self.fused:
            return self.found(batch.slots)
        table = self.found.table.weight
        pooled = self.look_up(table, batch.ids, IdPolicy.AS_IS)
        return through(self.found.project, through(self.found.norm, pooled))


class PlannedAttention(nn.Module):
    """`Attention` without a mask of its own; on request only for the rows to predict."""

    def __init__(self, found: Attention, config: Config) -> None:
        super().__init__()
        self.found = found
        self.form = ATTENTION_FORMS[config.attention]
        self.attend = opaque(config, block_diagonal_attention)

    def forward(self, x: Tensor, plan: AttentionPlan) -> Tensor:
        shape = (len(x), self.found.heads, 3, self.found.head_width)
        q, k, v = self.found.qkv(x).view(shape).unbind(2)
        return self.found.out(self.attend(q, k, v, plan, self.form).flatten(1))

    def of_rows(self, x: Tensor, rows: Tensor, plan: AttentionPlan) -> Tensor:
        """Only the queries of some rows; keys and values of all."""
        heads, head_width, width = self.found.heads, self.found.head_width, x.shape[1]
        weight = self.found.qkv.weight.view(heads, 3, head_width, width)
        bias = self.found.qkv.bias.view(heads, 3, head_width)
        ask = nn.functional.linear(x[rows], weight[:, 0].flatten(0, 1), bias[:, 0].flatten())
        tell = nn.functional.linear(x, weight[:, 1:].flatten(0, 2), bias[:, 1:].flatten())
        k, v = tell.view(len(x), heads, 2, head_width).unbind(2)
        q = ask.view(len(rows), heads, head_width)
        return self.found.out(self.attend(q, k, v, plan, self.form).flatten(1))


class DispatchedMoE(nn.Module):
    """`SparseMoE` over stacked experts, some of them merged on request."""

    def __init__(self, found: SparseMoE, config: Config) -> None:
        super().__init__()
        self.top_k = found.top_k
        self.gate = found.gate
        self.form = MOE_FORMS[config.moe]
        self.dispatch = opaque(config, moe_dispatch)
        with torch.no_grad():
            experts = stack_experts(found.experts)
        numbers = None
        if config.merge_experts is not None:
            experts, numbers = merge_experts(experts, config.merge_experts)
        self.up, self.up_bias, self.down, self.down_bias = map(nn.Parameter, experts)
        self.register_buffer("numbers", numbers)

    def forward(self, x: Tensor) -> Tensor:
        probabilities = through(self.gate, x).softmax(dim=-1)
        weights, chosen = probabilities.topk(self.top_k, dim=-1)
        if self.numbers is not None:
            chosen = self.numbers[chosen]
        experts = Experts(self.up, self.up_bias, self.down, self.down_bias)
        return self.dispatch(x.to(self.up.dtype), weights, chosen, experts, form=self.form)


class RewrittenLayer(nn.Module):
    """A layer whose attention and experts may each be as found or not."""

    def __init__(self, found: Layer, config: Config) -> None:
        super().__init__()
        self.norm_attention, self.norm_moe = found.norm_attention, found.norm_moe
        self.planned = config.attention != "found"
        self.attention: nn.Module = found.attention
        if self.planned:
            self.attention = PlannedAttention(found.attention, config)
        changed = config.moe != "found" or config.merge_experts is not None
        self.moe: nn.Module = DispatchedMoE(found.moe, config) if changed else found.moe

    def forward(self, x: Tensor, batch: Packed, mask: Tensor | None, only_wanted: bool) -> Tensor:
        """[S, width], or [T, width] of the rows to predict."""
        y = through(self.norm_attention, x).to(x.dtype)
        if not self.planned:
            x = x + self.attention(y, mask)
            x = x[batch.wanted] if only_wanted else x
        elif only_wanted:
            x = x[batch.wanted] + self.attention.of_rows(y, batch.wanted, batch.last_plan)
        else:
            x = x + self.attention(y, batch.plan)
        return x + self.moe(through(self.norm_moe, x).to(x.dtype))


class RewrittenRanker(nn.Module):
    """From a packed batch to one logit per row to predict.

    Args:
        found: its parameters are shared, not copied, unless `config.precision` is a half one.
    """

    def __init__(self, found: Ranker, config: Config) -> None:
        super().__init__()
        found = found if config.precision == "float32" else copy.deepcopy(found)
        self.config = config
        self.encoder = Encoder(found.encoder, config)
        self.layers = nn.ModuleList(RewrittenLayer(layer, config) for layer in found.layers)
        self.head = found.head
        if config.precision != "float32":
            islands = [f"*{name}*" for name in config.keep_float32]
            mixed_precision_islands(self, getattr(torch, config.precision), islands)

    def forward(self, batch: Packed) -> Tensor:
        """Logits [T] of the rows to predict, held within -15 and 15 before `logit_shift`."""
        x = self.encoder(batch)
        mask = self._mask(batch)
        for layer in self.layers[:-1]:
            x = layer(x, batch, mask, False)
        only_wanted = self.config.last_layer_test_rows
        x = self.layers[-1](x, batch, mask, only_wanted)
        x = x if only_wanted else x[batch.wanted]
        logits = through(self.head, x).squeeze(-1).float().clamp(-15.0, 15.0)
        return logits + self.config.logit_shift if self.config.logit_shift else logits

    def _mask(self, batch: Packed) -> Tensor | None:
        """The mask as found, with its waits or without, for the attention as found."""
        if self.config.attention != "found":
            return None
        device = batch.wanted.device
        offsets = torch.from_numpy(batch.plan.starts).to(device, non_blocking=True)
        if self.config.segment_ids == "found":
            return build_mask(offsets)
        owner = segment_ids(offsets, batch.rows)
        return (owner.unsqueeze(1) == owner.unsqueeze(0)).tril()


def from_checkpoint(state: Mapping[str, Tensor], config: Config) -> RewrittenRanker:
    """The rewritten network from a checkpoint of the one as found."""
    with torch.device("meta"):
        found = Ranker(config)
    found.load_state_dict(state, assign=True)
    return RewrittenRanker(found, config).eval()


def found_state(model: RewrittenRanker) -> dict[str, Tensor]:
    """The checkpoint that the network as found would have written; not of merged experts."""
    state = {}
    for name, value in model.state_dict().items():
        plain = name.replace(".found.", ".")
        layer, _, weight = plain.rpartition(".moe.")
        if weight in _EXPERT_NAMES:
            for number, one in enumerate(value):
                state[f"{layer}.moe.experts.{number}.{_EXPERT_NAMES[weight]}"] = one
        else:
            state[plain] = value
    return state


_EXPERT_NAMES = {
    "up": "up.weight",
    "up_bias": "up.bias",
    "down": "down.weight",
    "down_bias": "down.bias",
}

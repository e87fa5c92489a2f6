"""The third list of programs without a written truth: measured once, then looked at. See `_unseen.py`."""

from __future__ import annotations

import torch
from _unseen import SMALL, Step, ids
from torch import nn


def expert_mixtures() -> Step:
    from mixture_of_experts import HeirarchicalMoE, MoE
    from soft_moe_pytorch import SoftMoE
    from st_moe_pytorch import MoE as StableMoE
    from st_moe_pytorch import SparseMoEBlock

    stable = SparseMoEBlock(StableMoE(dim=16, num_experts=4)).cuda().train()
    plain = MoE(dim=16, num_experts=4).cuda().train()
    nested = HeirarchicalMoE(dim=16, num_experts=(2, 2)).cuda().train()
    soft = SoftMoE(dim=16, seq_len=16, num_experts=4).cuda()

    def step() -> None:
        x = torch.randn(2, 16, 16, device="cuda")
        out, loss, *_ = stable(x)
        (out.sum() + loss).backward()
        for one in (plain, nested):
            out, loss = one(x)
            (out.sum() + loss).backward()
        soft(x).sum().backward()

    return step


def tabular() -> Step:
    from pytorch_tabnet.metrics import UnsupervisedLoss
    from pytorch_tabnet.tab_network import TabNet, TabNetPretraining

    group = torch.eye(8, device="cuda")
    sizes = {"n_d": 4, "n_a": 4, "n_steps": 2, "group_attention_matrix": group}
    net = TabNet(8, 2, cat_idxs=[0], cat_dims=[16], cat_emb_dim=[2], **sizes).cuda()
    first = TabNetPretraining(8, **sizes).cuda()

    def step() -> None:
        x = torch.rand(16, 8, device="cuda")
        x[:, 0] = ids(16)
        out, sparse = net(x)
        (nn.functional.cross_entropy(out, ids(16, below=2)) - sparse).backward()
        net.forward_masks(x)
        made, embedded, mask = first(torch.rand(16, 8, device="cuda"))
        UnsupervisedLoss(made, embedded, mask).backward()

    return step


def segmentation() -> Step:
    from monai import losses, metrics
    from monai.inferers import sliding_window_inference
    from monai.networks.nets import BasicUNet, SwinUNETR

    net = BasicUNet(
        spatial_dims=2, in_channels=1, out_channels=3, features=(4, 4, 4, 4, 4, 4)
    ).cuda()
    large = SwinUNETR(in_channels=1, out_channels=3, feature_size=12, spatial_dims=2).cuda()
    made = [
        losses.DiceCELoss(to_onehot_y=True, softmax=True),
        losses.GeneralizedDiceLoss(to_onehot_y=True, softmax=True),
        losses.TverskyLoss(to_onehot_y=True, softmax=True),
        losses.FocalLoss(to_onehot_y=True),
        losses.HausdorffDTLoss(to_onehot_y=True, softmax=True),
    ]
    checks = [metrics.DiceMetric(), metrics.MeanIoU(), metrics.ConfusionMatrixMetric()]

    def step() -> None:
        x, y = torch.rand(2, 1, 64, 64, device="cuda"), ids(2, 1, 64, 64, below=3)
        out = net(x)
        sum(loss(out, y) for loss in made).backward()
        large(x).sum().backward()
        hard = nn.functional.one_hot(out.argmax(1), 3).movedim(-1, 1)
        real = nn.functional.one_hot(y[:, 0], 3).movedim(-1, 1)
        for check in checks:
            check(hard, real)
            check.aggregate()
        with torch.no_grad():
            sliding_window_inference(x, (48, 48), 2, net)

    return step


def solvers() -> Step:
    from torchdiffeq import odeint, odeint_adjoint

    class Field(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(4, 4)

        def forward(self, t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return torch.tanh(self.net(y)) * (1 - t)

    field = Field().cuda()

    def step() -> None:
        y, t = torch.randn(8, 4, device="cuda"), torch.linspace(0, 1, 4, device="cuda")
        odeint(field, y, t, method="dopri5").sum().backward()
        odeint(field, y, t, method="rk4", options={"step_size": 0.2}).sum().backward()
        odeint_adjoint(field, y, t, method="implicit_adams").sum().backward()

    return step


def inference() -> Step:
    import pyro
    import pyro.distributions as dist
    from pyro.infer import SVI, Trace_ELBO, TraceEnum_ELBO, config_enumerate
    from pyro.infer.autoguide import AutoNormal

    def model(x: torch.Tensor) -> None:
        weights = pyro.sample("weights", dist.Dirichlet(torch.ones(3, device=x.device)))
        with pyro.plate("parts", 3):
            places = pyro.sample("places", dist.Normal(x.new_zeros(()), 3.0))
        with pyro.plate("data", len(x)):
            part = pyro.sample("part", dist.Categorical(weights), infer={"enumerate": "parallel"})
            pyro.sample("seen", dist.Normal(places[part], 1.0), obs=x)

    def plain(x: torch.Tensor) -> None:
        slope = pyro.sample("slope", dist.Normal(x.new_zeros(()), 1.0))
        with pyro.plate("data", len(x)):
            pyro.sample("seen", dist.Normal(slope * x, 1.0), obs=x)

    hidden = pyro.poutine.block(model, hide=["part"])
    many = SVI(config_enumerate(model), AutoNormal(hidden), pyro.optim.Adam({}), TraceEnum_ELBO())
    one = SVI(plain, AutoNormal(plain), pyro.optim.ClippedAdam({"lr": 0.01}), Trace_ELBO())

    def step() -> None:
        x = torch.randn(20, device="cuda")
        many.step(x)
        one.step(x)

    return step


def sparse_attention() -> Step:
    from transformers import (
        BigBirdConfig,
        BigBirdForSequenceClassification,
        LongformerConfig,
        LongformerForSequenceClassification,
    )

    both = {"vocab_size": 32, "max_position_embeddings": 300, "attention_probs_dropout_prob": 0.0}
    far = LongformerForSequenceClassification(LongformerConfig(attention_window=8, **both, **SMALL))
    big = BigBirdForSequenceClassification(
        BigBirdConfig(block_size=16, num_random_blocks=1, **both, **SMALL)
    )
    far, big = far.cuda().train(), big.cuda().train()

    def step() -> None:
        x = ids(2, 192, below=32)
        mask = torch.ones_like(x)
        far(
            input_ids=x[:, :30], attention_mask=mask[:, :30], labels=ids(2, below=2)
        ).loss.backward()
        big(input_ids=x, attention_mask=mask, labels=ids(2, below=2)).loss.backward()

    return step


def click_models() -> Step:
    from deepctr_torch.inputs import DenseFeat, SparseFeat, VarLenSparseFeat, get_feature_names
    from deepctr_torch.models import AFM, CCPM, DIEN, DIN, FiBiNET, xDeepFM

    item = SparseFeat("item", 16, 8)
    past = VarLenSparseFeat(SparseFeat("hist_item", 16, 8), maxlen=6, length_name="length")
    plain = [SparseFeat("user", 16, 8), item]
    columns = [*plain, past, DenseFeat("length", 1)]
    chosen = {"device": "cuda"}
    made = [
        *(kind(plain, plain, **chosen) for kind in (AFM, CCPM, FiBiNET, xDeepFM)),
    ]
    watching = [kind(columns, ["item"], **chosen) for kind in (DIN, DIEN)]
    width = len(get_feature_names(columns)) + 5

    def step() -> None:
        x = ids(8, width).float()
        x[:, -1] = 4
        for one in made:
            one(x[:, :2]).sum().backward()
        for one in watching:
            y = x.clone()
            first, last = one.feature_index["length"]
            y[:, first:last] = 4
            one(y).sum().backward()

    return step

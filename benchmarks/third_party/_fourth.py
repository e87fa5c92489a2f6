"""The fourth list of programs without a written truth: nobody has looked at what lint says of them.

The rules are not to be mended by these, else they are unseen no longer. See `_unseen.py`.
"""

from __future__ import annotations

import torch
from _unseen import SMALL, Step, ids
from torch import Tensor, nn


def more_language() -> Step:
    from transformers import (
        DebertaV2Config,
        DebertaV2ForTokenClassification,
        NllbMoeConfig,
        NllbMoeForConditionalGeneration,
        ReformerConfig,
        ReformerModelWithLMHead,
    )

    sizes = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 32}
    more = {"decoder_ffn_dim": 32, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    sparse = {"num_experts": 4, "encoder_sparse_step": 1, "decoder_sparse_step": 1}
    many = NllbMoeForConditionalGeneration(
        NllbMoeConfig(vocab_size=32, expert_capacity=8, **sizes, **more, **sparse)
    )
    tags = DebertaV2ForTokenClassification(
        DebertaV2Config(
            vocab_size=32, relative_attention=True, pos_att_type=["p2c", "c2p"], **SMALL
        )
    )
    hashed = ReformerModelWithLMHead(
        ReformerConfig(
            vocab_size=32,
            attn_layers=["local", "lsh"],
            axial_pos_shape=(8, 8),
            axial_pos_embds_dim=(16, 16),
            hidden_size=32,
            attention_head_size=16,
            num_attention_heads=2,
            lsh_attn_chunk_length=16,
            local_attn_chunk_length=16,
            feed_forward_size=32,
            is_decoder=True,
            num_buckets=4,
        )
    )
    made = [one.cuda().train() for one in (many, tags, hashed)]

    def step() -> None:
        x, mask = ids(2, 64, below=32), torch.ones(2, 64, dtype=torch.long, device="cuda")
        made[0](input_ids=ids(2, 8, below=32), labels=ids(2, 8, below=32)).loss.backward()
        made[1](
            input_ids=x[:, :8], attention_mask=mask[:, :8], labels=ids(2, 8, below=2)
        ).loss.backward()
        made[2](input_ids=x, attention_mask=mask, labels=x).loss.backward()

    return step


def detector() -> Step:
    from transformers import DeformableDetrConfig, DeformableDetrForObjectDetection, ResNetConfig

    backbone = ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        out_features=["stage2", "stage3", "stage4"],
    )
    sizes = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 2, "num_queries": 8}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "num_labels": 3}
    config = DeformableDetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=backbone,
        with_box_refine=True,
        two_stage=True,
        two_stage_num_proposals=8,
        **sizes,
        **heads,
    )
    model = DeformableDetrForObjectDetection(config).cuda().train()

    def step() -> None:
        boxes = torch.rand(2, 4, device="cuda") * 0.4 + 0.3
        labels = [{"class_labels": ids(2, below=3), "boxes": boxes} for _ in range(2)]
        model(pixel_values=torch.rand(2, 3, 64, 64, device="cuda"), labels=labels).loss.backward()

    return step


def graph_layers() -> Step:
    from torch_geometric.nn import (  # noqa: F401
        AttentiveFP,
        HypergraphConv,
        MemPooling,
        PANConv,
        PANPooling,
        RGCNConv,
        SplineConv,
        global_sort_pool,
    )
    from torch_geometric.nn.aggr import GraphMultisetTransformer, MedianAggregation
    from torch_geometric.nn.models import MetaLayer  # noqa: F401
    from torch_geometric.utils import degree, softmax, to_dense_batch, unbatch

    edges, x = ids(2, 60, below=20), torch.randn(20, 8, device="cuda")
    batch = torch.arange(20, device="cuda") // 7
    chemistry = AttentiveFP(8, 8, 1, edge_dim=4, num_layers=2, num_timesteps=2).cuda()
    hyper, relations = HypergraphConv(8, 8).cuda(), RGCNConv(8, 8, 3).cuda()
    memory, whole = MemPooling(8, 8, heads=2, num_clusters=3).cuda(), GraphMultisetTransformer(8, 3)
    whole, middle = whole.cuda(), MedianAggregation()

    def step() -> None:
        chemistry(x, edges, torch.randn(60, 4, device="cuda"), batch).sum().backward()
        hyper(x, edges).sum().backward()
        relations(x, edges, ids(60, below=3)).sum().backward()
        memory(x, batch)[0].sum().backward()
        whole(x, batch).sum().backward()
        middle(x, batch)
        softmax(torch.randn(60, device="cuda"), edges[0])
        degree(edges[0])
        to_dense_batch(x, batch)
        unbatch(x, batch)

    return step


def keypoints() -> Step:
    from kornia import feature, geometry

    find = feature.ScaleSpaceDetector(num_features=20).cuda()
    describe = feature.LAFDescriptor(feature.SIFTDescriptor(32)).cuda()

    def step() -> None:
        x = torch.rand(2, 1, 64, 64, device="cuda")
        frames, _ = find(x)
        described = describe(x, frames)
        feature.match_smnn(described[0], described[1], 0.99)
        a, b = torch.rand(1, 12, 2, device="cuda"), torch.rand(1, 12, 2, device="cuda")
        geometry.homography.find_homography_dlt_iterated(a, b, torch.ones(1, 12, device="cuda"))
        geometry.ransac.RANSAC("homography", max_iter=2, batch_size=16)(a[0], b[0])
        geometry.epipolar.find_fundamental(a, b, torch.ones(1, 12, device="cuda"))

    return step


def more_metrics() -> Step:
    import torchmetrics as tm
    from pytorch_metric_learning import losses
    from torchmetrics.text import Perplexity

    fixed = {"num_classes": 4, "embedding_size": 8}
    made = [
        losses.ArcFaceLoss(**fixed),
        losses.ProxyAnchorLoss(**fixed),
        losses.SoftTripleLoss(**fixed),
        *(
            getattr(losses, f"{name}Loss")()
            for name in ("FastAP", "NCA", "NPairs", "Angular", "VICReg")
        ),
    ]
    made = [one.cuda() for one in made]
    many = {"task": "multiclass", "num_classes": 4}
    kinds = (tm.CalibrationError, tm.AveragePrecision, tm.ExactMatch, tm.JaccardIndex, tm.ROC)
    classed = [
        (kind(task="binary") if kind is tm.CalibrationError else kind(**many)).cuda()
        for kind in kinds
        if kind is not tm.ExactMatch
    ]
    plain = [tm.PearsonCorrCoef(), tm.KendallRankCorrCoef(), tm.MeanAbsolutePercentageError()]
    plain = [one.cuda() for one in plain]
    words = Perplexity(ignore_index=0).cuda()

    def step() -> None:
        points, labels = torch.randn(32, 8, device="cuda", requires_grad=True), ids(32, below=4)
        for loss in made:
            reference = (
                torch.randn(32, 8, device="cuda") if "VICReg" in type(loss).__name__ else None
            )
            out = loss(points, ref_emb=reference) if reference is not None else loss(points, labels)
            out.backward()
        scores = torch.rand(32, 4, device="cuda").softmax(-1)
        classed[0](scores[:, 0], labels % 2)
        for metric in classed[1:]:
            metric(scores, labels)
        for metric in plain:
            metric(scores[:, 0], scores[:, 1])
        words(scores[None], labels[None])

    return step


def routed_attention() -> Step:
    from colt5_attention import ConditionalRoutedAttention, ConditionalRoutedFeedForward
    from local_attention import LocalTransformer

    attend = ConditionalRoutedAttention(
        dim=16, light_dim_head=8, light_heads=2, light_window_size=8, heavy_dim_head=8,
        heavy_heads=2, num_heavy_tokens_q=4, num_heavy_tokens_kv=4,
    ).cuda()  # fmt: skip
    forward = ConditionalRoutedFeedForward(
        16, num_heavy_tokens=4, light_ff_mult=0.5, heavy_ff_mult=2
    )
    near = LocalTransformer(
        num_tokens=16,
        dim=16,
        depth=2,
        max_seq_len=64,
        local_attn_window_size=8,
        heads=2,
        dim_head=8,
    ).cuda()
    forward = forward.cuda()

    def step() -> None:
        x, mask = torch.randn(2, 32, 16, device="cuda"), torch.ones(2, 32, device="cuda").bool()
        attend(x, mask=mask).sum().backward()
        forward(x, mask=mask).sum().backward()
        near(ids(2, 30), return_loss=True).backward()

    return step


def variational_process() -> Step:
    import gpytorch
    from gpytorch import variational

    class Model(gpytorch.models.ApproximateGP):
        def __init__(self, points: Tensor) -> None:
            given = variational.CholeskyVariationalDistribution(points.size(0))
            super().__init__(variational.VariationalStrategy(self, points, given))
            self.mean = gpytorch.means.LinearMean(1)
            self.kernel = gpytorch.kernels.ScaleKernel(gpytorch.kernels.MaternKernel(nu=1.5))

        def forward(self, x: Tensor) -> object:
            return gpytorch.distributions.MultivariateNormal(self.mean(x), self.kernel(x))

    x = torch.linspace(0, 1, 30, device="cuda")[:, None]
    model = Model(x[::6].clone()).cuda()
    likelihood: nn.Module = gpytorch.likelihoods.BernoulliLikelihood().cuda()
    bound = gpytorch.mlls.VariationalELBO(likelihood, model, num_data=30)

    def step() -> None:
        model.train()
        (-bound(model(x), (x[:, 0] > 0.5).float())).backward()
        model.eval()
        likelihood(model(x[:4] + 0.01)).mean.sum()

    return step

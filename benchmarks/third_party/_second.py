"""The second list of programs without a written truth: measured once, then looked at. See `_unseen.py`."""

from __future__ import annotations

import torch
from _unseen import Step, ids
from torch import Tensor, nn


def rechub_ranking() -> Step:
    from torch_rechub.basic.features import SequenceFeature, SparseFeature
    from torch_rechub.models.ranking import BST, DIEN, DIN

    def history(name: str) -> SequenceFeature:
        return SequenceFeature(name, 16, embed_dim=8, pooling="concat", shared_with="item")

    item, user = SparseFeature("item", 16, embed_dim=8), SparseFeature("user", 16, embed_dim=8)
    past, other = history("past"), history("other")
    layers = {"dims": [16]}
    made = [
        DIEN([user], [past], [other], [item], layers),
        DIN([user], [past], [item], layers, {"dims": [8], "activation": "dice"}),
        BST([user], [past], [item], layers, nhead=2),
    ]
    for one in made:
        one.cuda().train()

    def step() -> None:
        x = {"user": ids(8), "item": ids(8), "past": ids(8, 6), "other": ids(8, 6)}
        for one in made:
            out = one(x)
            out = out if isinstance(out, Tensor) else out[0]
            nn.functional.binary_cross_entropy(
                out.squeeze(), torch.rand(8, device="cuda")
            ).backward()

    return step


def rechub_generative() -> Step:
    from torch_rechub.models.generative import HSTUModel, RQVAEModel

    sizes = {"d_model": 16, "n_heads": 2, "n_layers": 2, "dqk": 8, "dv": 8, "max_seq_len": 12}
    reader = HSTUModel(16, **sizes).cuda()
    coder = RQVAEModel(
        in_dim=16, num_emb_list=[8, 8], e_dim=8, layers=[16], sk_epsilons=[0.0, 0.01], sk_iters=5
    ).cuda()

    def step() -> None:
        reader(ids(4, 12), torch.randint(0, 999, (4, 12), device="cuda")).sum().backward()
        x = torch.randn(16, 16, device="cuda")
        out, loss, _ = coder(x)
        coder.compute_loss(out, loss, xs=x)[0].backward()

    return step


def tagger() -> Step:
    from torchcrf import CRF

    crf, encode = CRF(5, batch_first=True).cuda(), nn.Linear(8, 5).cuda()

    def step() -> None:
        scores = encode(torch.randn(4, 7, 8, device="cuda"))
        mask = torch.arange(7, device="cuda") < torch.tensor([[7], [5], [3], [6]], device="cuda")
        (-crf(scores, ids(4, 7, below=5), mask=mask)).backward()
        crf.decode(scores, mask=mask)

    return step


def images() -> Step:
    import kornia
    from kornia import augmentation, losses

    changes = augmentation.AugmentationSequential(
        augmentation.RandomAffine(20.0, p=0.5),
        augmentation.ColorJitter(0.1, 0.1, 0.1, 0.1, p=0.5),
        augmentation.RandomErasing(p=0.5),
    )
    net = nn.Conv2d(3, 3, 3, padding=1).cuda()

    def step() -> None:
        x = torch.rand(4, 3, 16, 16, device="cuda")
        out = net(changes(x))
        labels = ids(4, 16, 16, below=3)
        total = losses.dice_loss(out, labels) + losses.focal_loss(
            out, labels, 0.5, reduction="mean"
        )
        total = total + losses.lovasz_softmax_loss(out, labels) + losses.ssim_loss(out, x, 5)
        total.backward()
        corners = kornia.feature.harris_response(x[:, :1])
        kornia.geometry.subpix.nms2d(corners, (3, 3))
        kornia.geometry.transform.warp_perspective(
            x, torch.eye(3, device="cuda").expand(4, 3, 3), (8, 8)
        )

    return step


def gaussian_process() -> Step:
    import gpytorch

    class Model(gpytorch.models.ExactGP):
        def __init__(self, x: Tensor, y: Tensor, likelihood: nn.Module) -> None:
            super().__init__(x, y, likelihood)
            self.mean = gpytorch.means.ConstantMean()
            self.kernel = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel())

        def forward(self, x: Tensor) -> object:
            return gpytorch.distributions.MultivariateNormal(self.mean(x), self.kernel(x))

    x = torch.linspace(0, 1, 20, device="cuda")
    y = torch.sin(x * 6)
    likelihood = gpytorch.likelihoods.GaussianLikelihood().cuda()
    model = Model(x, y, likelihood).cuda()
    mll = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)

    def step() -> None:
        model.train()
        (-mll(model(x), y)).backward()
        model.eval()
        model(x[:5] + 0.01).variance.sum()

    return step


def graph_models() -> Step:
    from torch_geometric.nn import GAE, DeepGraphInfomax, GCNConv, GraphUNet, LightGCN
    from torch_geometric.nn.aggr import Set2Set, SortAggregation
    from torch_geometric.nn.models import LabelPropagation, SignedGCN

    edges = ids(2, 60, below=20)
    x = torch.randn(20, 8, device="cuda")
    unet, coder = GraphUNet(8, 8, 4, depth=2).cuda(), GAE(GCNConv(8, 8)).cuda()
    signed, ranker = SignedGCN(8, 8, num_layers=2).cuda(), LightGCN(20, 8, 2).cuda()
    infomax = DeepGraphInfomax(
        8,
        GCNConv(8, 8),
        lambda z, *a, **k: z.mean(dim=0).sigmoid(),
        lambda x, e: (x[torch.randperm(len(x), device=x.device)], e),
    ).cuda()
    whole, order = Set2Set(8, 2).cuda(), SortAggregation(4)
    spread = LabelPropagation(2, 0.9)

    def step() -> None:
        unet(x, edges).sum().backward()
        coder.recon_loss(coder.encode(x, edges), edges).backward()
        infomax.loss(*infomax(x, edges)).backward()
        signed.loss(
            signed(x, edges[:, :30], edges[:, 30:]), edges[:, :30], edges[:, 30:]
        ).backward()
        scores = ranker(edges, edge_label_index=edges)
        ranker.recommendation_loss(scores[:30], scores[30:], node_id=edges.unique()).backward()
        batch = torch.arange(20, device="cuda") // 7
        order(whole.lin(x) if hasattr(whole, "lin") else x, batch)
        whole(x, batch).sum().backward()
        spread(ids(20, below=3), edges, mask=torch.arange(20, device="cuda") < 8)

    return step

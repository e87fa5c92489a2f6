"""More programs on the packages of this folder, for `benchmarks/lint_truth.py unseen`: no truth was written.

Each function here, in `_second.py`, `_third.py` and `_fourth.py` makes a model and returns its step.
One step runs under the pretend device to warm up, one is listened to; its certain synchronisations and
the expressions that it evaluated, as (line, column, last line, end),
go into a JSON file. Needs Python 3.11.

Usage: python _unseen.py OUTPUT LIST NAME   (LIST: _unseen, _second, _third, _fourth)
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType

import _lines
import torch
from torch import Tensor, nn

from perfkit.detectors.evidence import Evidence, listening
from perfkit.pretend import pretend_cuda

Step = Callable[[], object]
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 32,
}


def ids(*shape: int, below: int = 16) -> Tensor:
    return torch.randint(0, below, shape, device="cuda")


def mixtral() -> Step:
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(vocab_size=16, num_key_value_heads=2, num_local_experts=4, **SMALL)
    config._experts_implementation = "eager"
    model, x = MixtralForCausalLM(config).cuda(), ids(2, 16)
    return lambda: model(input_ids=x, attention_mask=torch.ones_like(x), labels=x).loss.backward()


def switch() -> Step:
    from transformers import SwitchTransformersConfig, SwitchTransformersForConditionalGeneration

    sizes = {
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 32,
        "num_layers": 2,
        "num_heads": 4,
        "num_experts": 4,
    }
    sparse = {"num_sparse_encoder_layers": 1, "num_sparse_decoder_layers": 1}
    config = SwitchTransformersConfig(vocab_size=16, decoder_start_token_id=0, **sizes, **sparse)
    model, x = SwitchTransformersForConditionalGeneration(config).cuda(), ids(2, 16)
    return lambda: model(input_ids=x, labels=x).loss.backward()


def wav2vec() -> Step:
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    layers = {"conv_dim": (16, 16), "conv_stride": (5, 2), "conv_kernel": (10, 3)}
    more = {"num_feat_extract_layers": 2, "num_conv_pos_embeddings": 16}
    config = Wav2Vec2Config(
        vocab_size=16, num_conv_pos_embedding_groups=4, **layers, **more, **SMALL
    )
    model, x = Wav2Vec2ForCTC(config).cuda().train(), torch.randn(2, 2000, device="cuda")
    mask = torch.ones(2, 2000, dtype=torch.long, device="cuda")
    return lambda: model(x, attention_mask=mask, labels=ids(2, 8) % 15 + 1).loss.backward()


def pooling() -> Step:
    from torch_geometric.nn import ASAPooling, EdgePooling, SAGEConv, SAGPooling

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolve, self.select = SAGEConv(8, 16), SAGPooling(16)
            self.merge, self.cluster = EdgePooling(16), ASAPooling(16)

        def forward(self, x: Tensor, edges: Tensor, batch: Tensor) -> Tensor:
            x, edges, _, batch, *_ = self.select(self.convolve(x, edges), edges, batch=batch)
            x, edges, batch, _ = self.merge(x, edges, batch)
            return self.cluster(x, edges, batch=batch)[0].sum()

    net, x, batch = Net().cuda(), torch.randn(24, 8, device="cuda"), ids(24, below=2).sort().values
    return lambda: net(x, ids(2, 60, below=12), batch).backward()


def graph_utilities() -> Step:
    from torch_geometric import utils

    edges = ids(2, 40, below=12)

    def step() -> None:
        utils.to_dense_adj(edges)
        utils.negative_sampling(edges)
        utils.subgraph(torch.arange(5, device="cuda"), edges, relabel_nodes=True)
        utils.k_hop_subgraph(1, 2, edges, relabel_nodes=True)
        utils.to_undirected(utils.coalesce(edges))
        utils.remove_isolated_nodes(edges)

    return step


def metric_losses() -> Step:
    from pytorch_metric_learning import losses, miners

    names = ("MultiSimilarity", "Contrastive", "NTXent", "Circle", "SupCon", "LiftedStructure")
    made = [getattr(losses, f"{name}Loss")() for name in names]
    kinds = ("MultiSimilarity", "BatchHard", "PairMargin", "DistanceWeighted")
    searching = [getattr(miners, f"{name}Miner")() for name in kinds]
    points, labels = torch.randn(32, 8, device="cuda", requires_grad=True), ids(32, below=4)

    def step() -> None:
        for loss in made:
            loss(points, labels).backward()
        for miner in searching:
            losses.TripletMarginLoss()(points, labels, miner(points, labels)).backward()

    return step


def metrics() -> Step:
    import torchmetrics as tm
    from torchmetrics.retrieval import RetrievalMAP

    many = {"task": "multiclass", "num_classes": 4}
    classed = [tm.PrecisionRecallCurve(**many), tm.CohenKappa(**many), tm.MatthewsCorrCoef(**many)]
    plain = [tm.SpearmanCorrCoef(), tm.R2Score(), tm.MeanSquaredError()]
    curve, ranking = tm.AUROC(task="binary", thresholds=20).cuda(), RetrievalMAP().cuda()
    for metric in (*classed, *plain):
        metric.cuda()

    def step() -> None:
        scores, labels = torch.rand(32, device="cuda"), ids(32, below=4)
        curve(scores, labels % 2)
        ranking(scores, labels % 2, indexes=labels)
        for metric in classed:
            metric(torch.rand(32, 4, device="cuda").softmax(-1), labels)
        for metric in plain:
            metric(scores, torch.rand(32, device="cuda"))

    return step


def quantizers() -> Step:
    from vector_quantize_pytorch import LFQ, GroupedResidualVQ, ResidualFSQ, SimVQ

    small = {"dim": 8, "codebook_size": 16}
    made = [LFQ(codebook_size=256, dim=8), ResidualFSQ(dim=8, levels=[4, 4], num_quantizers=2)]
    made += [GroupedResidualVQ(num_quantizers=2, groups=2, **small), SimVQ(**small)]
    for one in made:
        one.cuda().train()
    return lambda: [one(torch.randn(2, 16, 8, device="cuda")) for one in made]


evaluated: dict[CodeType, set[int]] = {}


def trace(frame: FrameType, event: str, argument: object) -> _lines.Tracer | None:
    """Follow every instruction of code that `_lines` would follow."""
    if not _lines.wanted(frame.f_code.co_filename):
        return None
    frame.f_trace_opcodes, frame.f_trace_lines = True, False
    seen = evaluated.setdefault(frame.f_code, set())

    def local(inner: FrameType, event: str, argument: object) -> _lines.Tracer:
        if event == "opcode":
            seen.add(inner.f_lasti)
        return local

    return local


def spans() -> dict[str, list[tuple[int | None, ...]]]:
    """Where the source has what was evaluated, by file."""
    found: dict[str, set[tuple[int | None, ...]]] = {}
    for code, offsets in evaluated.items():
        places = list(code.co_positions())
        for offset in offsets:
            first, last, column, end = places[offset // 2]
            found.setdefault(code.co_filename, set()).add((first, column, last, end))
    return {file: sorted(p for p in places if None not in p) for file, places in found.items()}


def main() -> int:
    output, chosen, name = sys.argv[1:]
    torch.set_num_threads(1)
    make = getattr(importlib.import_module(chosen), name)
    evidence = Evidence()
    with pretend_cuda():
        torch.manual_seed(0)
        step = make()
        step()
        sys.settrace(trace)
        with listening(evidence):
            step()
        sys.settrace(None)
    waits = {(r.site.file, r.site.line) for r in evidence.records() if r.site and r.certain}
    Path(output).write_text(json.dumps({"waits": sorted(waits), "spans": spans()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

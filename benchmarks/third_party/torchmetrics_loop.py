"""Evaluation of a small classifier with torchmetrics, updated on every batch."""

import torch
from torch import nn
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
)
from torchmetrics.retrieval import RetrievalMRR

device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 5)).to(device).eval()
metrics = MetricCollection(
    {
        "acc": MulticlassAccuracy(num_classes=5, top_k=2),
        "f1": MulticlassF1Score(num_classes=5),
        "conf": MulticlassConfusionMatrix(num_classes=5, ignore_index=4),
        "ece": MulticlassCalibrationError(num_classes=5, n_bins=5),
    },
    compute_groups=False,
).to(device)
ranking = RetrievalMRR().to(device)

for step in range(20):
    inputs = torch.randn(64, 16, device=device)
    target = torch.randint(0, 5, (64,), device=device)
    queries = torch.arange(8, device=device).repeat_interleave(8)
    with torch.no_grad():
        scores = model(inputs).softmax(dim=-1)
    values = metrics(scores, target)
    ranking.update(scores[:, 0], target == 0, indexes=queries)
    print(f"step {step} acc {values['acc'].item():.3f} f1 {float(values['f1']):.3f}")
print({name: value.shape for name, value in metrics.compute().items()}, ranking.compute())

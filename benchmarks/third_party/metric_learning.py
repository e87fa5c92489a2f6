"""Triplet training with pytorch-metric-learning: miner, loss and cross-batch memory."""

import torch
from pytorch_metric_learning import distances, losses, miners, reducers
from torch import nn

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(0)
trunk = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8)).to(device)
distance = distances.CosineSimilarity()
triplet = losses.TripletMarginLoss(
    margin=0.2, distance=distance, reducer=reducers.ThresholdReducer(low=0)
)
miner = miners.TripletMarginMiner(margin=0.2, distance=distance, type_of_triplets="semihard")
memory = losses.CrossBatchMemory(losses.ContrastiveLoss(), embedding_size=8, memory_size=128)
optimizer = torch.optim.Adam(trunk.parameters(), lr=1e-3)

for step in range(20):
    data = torch.randn(32, 16).to(device)
    labels = torch.randint(0, 6, (32,)).to(device)
    embeddings = trunk(data)
    triplets = miner(embeddings, labels)
    loss = triplet(embeddings, labels, triplets) + memory(embeddings, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step} loss {loss:.4f} mined {miner.num_triplets}")

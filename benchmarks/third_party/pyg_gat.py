"""Graph attention and pooling on random graphs with torch_geometric."""

import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GATConv, TopKPooling, global_mean_pool
from torch_geometric.utils import dropout_edge, to_dense_batch

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = GATConv(8, 8, heads=2)
        self.pool = TopKPooling(16, ratio=0.7)
        self.conv2 = GATConv(16, 16)
        self.head = nn.Linear(32, 3)

    def forward(self, data):
        edges, _ = dropout_edge(data.edge_index, p=0.2, training=self.training)
        x = self.conv1(data.x, edges).relu()
        x, edges, _, batch, _, _ = self.pool(x, edges, batch=data.batch)
        x = self.conv2(x, edges).relu()
        dense, mask = to_dense_batch(x, batch)
        widest = dense.masked_fill(~mask.unsqueeze(-1), 0.0).amax(dim=1)
        return self.head(torch.cat([global_mean_pool(x, batch), widest], dim=1))


graphs = [
    Data(x=torch.randn(12, 8), edge_index=torch.randint(0, 12, (2, 40)), y=torch.tensor([i % 3]))
    for i in range(160)
]
model = Net().to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for data in DataLoader(graphs, batch_size=8, shuffle=True):
    data = data.to(device)
    out = model(data)
    loss = nn.functional.cross_entropy(out, data.y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    correct = int((out.argmax(dim=1) == data.y).sum())
    print(f"loss {float(loss):.4f} correct {correct}")

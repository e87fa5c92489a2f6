"""Trains until somebody stops it; says so once it has taken some steps."""

import time

import torch

torch.set_num_threads(1)
model = torch.nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
step = 0
while True:
    model(torch.randn(4, 8)).mean().backward()
    optimizer.step()
    step += 1
    time.sleep(0.005)
    if step == 8:
        print("going", flush=True)

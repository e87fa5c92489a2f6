"""An autoencoder with the quantisers of vector-quantize-pytorch."""

import torch
from torch import nn
from vector_quantize_pytorch import FSQ, ResidualVQ, VectorQuantize

device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(0)
encoder = nn.Linear(16, 8).to(device)
decoder = nn.Linear(8, 16).to(device)
quantize = VectorQuantize(
    dim=8,
    codebook_size=32,
    kmeans_init=True,
    kmeans_iters=3,
    threshold_ema_dead_code=6,
    orthogonal_reg_weight=1.0,
    orthogonal_reg_active_codes_only=True,
).to(device)
residual = ResidualVQ(dim=8, num_quantizers=3, codebook_size=16, quantize_dropout=True).to(device)
fsq = FSQ(levels=[4, 4, 4], dim=8).to(device)
modules = nn.ModuleList([encoder, decoder, quantize, residual, fsq])
optimizer = torch.optim.AdamW(modules.parameters(), lr=1e-3)

for step in range(20):
    x = torch.randn(4, 32, 16, device=device)
    code, indices, commitment = quantize(encoder(x))
    code, _, more = residual(code)
    code, _ = fsq(code)
    loss = (decoder(code) - x).pow(2).mean() + commitment.sum() + more.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    used = indices.unique().numel()
    print(f"step {step} loss {loss.item():.4f} codes in use {used}")

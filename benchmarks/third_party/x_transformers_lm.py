"""Training and sampling with x-transformers' autoregressive wrapper."""

import torch
from x_transformers import AutoregressiveWrapper, Decoder, TransformerWrapper

device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(0)
model = AutoregressiveWrapper(
    TransformerWrapper(
        num_tokens=64,
        max_seq_len=32,
        attn_layers=Decoder(dim=32, depth=2, heads=4, attn_dim_head=8, rotary_pos_emb=True),
    ),
    pad_value=0,
    mask_prob=0.15,
).to(device)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

for step in range(20):
    tokens = torch.randint(1, 64, (4, 24)).to(device)
    loss = model(tokens)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    optimizer.zero_grad()
    model.eval()
    sample = model.generate(tokens[:1, :4], 5, eos_token=1, temperature=1.0)
    model.train()
    print(f"step {step} loss {loss.item():.3f} sample {sample[0].tolist()}")

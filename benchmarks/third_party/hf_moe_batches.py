"""Batched generation with a tiny Qwen3 mixture of experts, prompts from a DataLoader."""

import torch
from torch.utils.data import DataLoader
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(0)
config = Qwen3MoeConfig(
    vocab_size=64,
    hidden_size=32,
    intermediate_size=32,
    moe_intermediate_size=16,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    num_experts=4,
    num_experts_per_tok=2,
    pad_token_id=0,
    eos_token_id=1,
)
model = Qwen3MoeForCausalLM(config).to(device).eval()
prompts = torch.randint(2, 64, (60, 8))
prompts[::2, :3] = 0
lengths = []
for batch in DataLoader(prompts, batch_size=4):
    batch = batch.to(device)
    with torch.inference_mode():
        out = model.generate(batch, attention_mask=batch != 0, max_new_tokens=4, num_beams=2)
    new = out[:, batch.shape[1] :]
    lengths += ((new != 1) & (new != 0)).sum(dim=1).cpu().tolist()
print(f"mean length {sum(lengths) / len(lengths):.2f}")

"""Pre-training steps of a tiny OLMoE (mixture of experts) from transformers."""

import torch
from transformers import OlmoeConfig, OlmoeForCausalLM

device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(0)
config = OlmoeConfig(
    vocab_size=128,
    hidden_size=32,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=4,
    num_experts=4,
    num_experts_per_tok=2,
    max_position_embeddings=64,
    eos_token_id=1,
    output_router_logits=True,
    use_cache=False,
    experts_implementation="eager",
)
model = OlmoeForCausalLM(config).to(device).train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
held_out = torch.randint(0, 128, (2, 16), device=device)
validation = torch.zeros((), device=device)

for step in range(20):
    tokens = torch.randint(0, 128, (4, 16)).to(device)
    attention_mask = torch.ones_like(tokens)
    attention_mask[:, -3:] = 0
    out = model(input_ids=tokens, attention_mask=attention_mask, labels=tokens)
    out.loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    with torch.no_grad():
        validation += model(input_ids=held_out, labels=held_out).loss
    print(f"step {step} loss {out.loss.item():.4f} balance {out.aux_loss:.4f}")
print(f"validation {validation.item() / 20:.4f}")

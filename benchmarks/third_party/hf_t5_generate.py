"""Greedy and sampled generation with a tiny T5 from transformers."""

import torch
from transformers import T5Config, T5ForConditionalGeneration

device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(0)
config = T5Config(
    vocab_size=64,
    d_model=32,
    d_kv=8,
    d_ff=32,
    num_layers=2,
    num_heads=4,
    decoder_start_token_id=0,
    pad_token_id=0,
    eos_token_id=1,
)
model = T5ForConditionalGeneration(config).to(device).eval()

for request in range(12):
    prompt = torch.randint(2, 64, (2, 10))
    mask = torch.ones_like(prompt)
    mask[1, 7:] = 0
    with torch.no_grad():
        answer = model.generate(
            input_ids=prompt.to(device),
            attention_mask=mask.to(device),
            max_new_tokens=6,
            do_sample=request % 2 == 1,
            top_k=10,
            repetition_penalty=1.1,
        )
    print(request, answer.tolist())

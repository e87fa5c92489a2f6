"""Training steps of a tiny DETR (Hungarian matching) from transformers."""

import torch
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(0)
backbone = ResNetConfig(
    embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], out_features=["stage4"]
)
config = DetrConfig(
    backbone_config=backbone,
    d_model=16,
    encoder_layers=1,
    decoder_layers=2,
    encoder_attention_heads=2,
    decoder_attention_heads=2,
    encoder_ffn_dim=16,
    decoder_ffn_dim=16,
    num_queries=6,
    num_labels=5,
    auxiliary_loss=True,
)
model = DetrForObjectDetection(config).to(device).train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

for step in range(20):
    images = torch.rand(2, 3, 64, 64).to(device)
    labels = [
        {"class_labels": torch.randint(0, 5, (n,)), "boxes": torch.rand(n, 4) * 0.4 + 0.1}
        for n in (2, 3)
    ]
    labels = [{k: v.to(device) for k, v in target.items()} for target in labels]
    out = model(pixel_values=images, labels=labels)
    optimizer.zero_grad()
    out.loss.backward()
    optimizer.step()
    print(step, {k: round(v.item(), 3) for k, v in out.loss_dict.items() if "ce" in k})

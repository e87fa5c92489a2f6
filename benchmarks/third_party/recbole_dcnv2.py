"""RecBole's DCN V2 on the MovieLens sample inside the package, in a hand-written loop."""

import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.context_aware_recommender import DCNV2
from recbole.utils import init_seed

config = Config(
    model="DCNV2",
    dataset="ml-100k",
    config_dict={
        "load_col": {
            "inter": ["user_id", "item_id", "rating"],
            "user": ["user_id", "age", "gender"],
            "item": ["item_id", "class"],
        },
        "user_inter_num_interval": "[150,200)",
        "threshold": {"rating": 3},
        "embedding_size": 8,
        "mlp_hidden_size": [16, 16],
        "train_batch_size": 256,
        "use_gpu": torch.cuda.is_available(),
        "reproducibility": False,
    },
)
init_seed(config["seed"], config["reproducibility"])
dataset = create_dataset(config)
train_data, _, _ = data_preparation(config, dataset)
model = DCNV2(config, train_data.dataset).to(config["device"])
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

total = 0.0
for step, batch in enumerate(train_data):
    batch = batch.to(config["device"])
    optimizer.zero_grad()
    loss = model.calculate_loss(batch)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    total += loss.item()
    if torch.isnan(norm):
        raise ValueError("gradient is not a number")
    if step == 19:
        break
print(f"mean loss {total / (step + 1):.4f}")

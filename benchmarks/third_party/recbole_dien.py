"""RecBole's DIEN, trained by RecBole's own Trainer on the MovieLens sample inside the package."""

import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.model.sequential_recommender import DIEN
from recbole.trainer import Trainer
from recbole.utils import init_seed

config = Config(
    model="DIEN",
    dataset="ml-100k",
    config_dict={
        "load_col": {"inter": ["user_id", "item_id", "rating", "timestamp"]},
        "user_inter_num_interval": "[150,200)",
        "threshold": {"rating": 3},
        "MAX_ITEM_LIST_LENGTH": 10,
        "embedding_size": 8,
        "mlp_hidden_size": [16, 16],
        "train_batch_size": 512,
        "train_neg_sample_args": None,
        "epochs": 1,
        "show_progress": False,
        "use_gpu": torch.cuda.is_available(),
        "reproducibility": False,
    },
)
init_seed(config["seed"], config["reproducibility"])
dataset = create_dataset(config)
train_data, _, _ = data_preparation(config, dataset)
model = DIEN(config, train_data.dataset).to(config["device"])
trainer = Trainer(config, model)
trainer.fit(train_data, saved=False, verbose=False)
print("trained on", config["device"])

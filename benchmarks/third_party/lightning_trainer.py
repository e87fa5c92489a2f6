"""A Lightning Trainer over a small classifier that logs as most people log."""

import lightning as L
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 4))
        self.losses = []

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        loss = nn.functional.cross_entropy(logits, y)
        accuracy = (logits.argmax(1) == y).float().mean()
        self.log("train_loss", loss, prog_bar=True)
        self.log("train_accuracy", accuracy)
        self.losses.append(loss.detach().cpu())
        return loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


torch.manual_seed(0)
data = TensorDataset(torch.randn(256, 16), torch.randint(0, 4, (256,)))
loader = DataLoader(data, batch_size=32, shuffle=True, pin_memory=torch.cuda.is_available())
trainer = L.Trainer(
    max_epochs=4,
    accelerator="auto",
    devices=1,
    gradient_clip_val=1.0,
    log_every_n_steps=2,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=True,
    enable_model_summary=False,
)
model = Classifier()
trainer.fit(model, loader)
print("last loss", float(model.losses[-1]))

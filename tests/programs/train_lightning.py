"""A Lightning training on two CPU processes: `train_lightning.py lightning.pytorch|pytorch_lightning [ranks]`."""

import importlib
import sys

import torch

package = importlib.import_module(sys.argv[1])
from perfkit.integrations.lightning import PerfkitCallback  # noqa: E402

ranks = int(sys.argv[2]) if len(sys.argv) > 2 else 1
torch.set_num_threads(1)


class Module(package.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = torch.nn.Linear(8, 1)

    def training_step(self, batch, index):
        return self.model(batch).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


package.Trainer(
    accelerator="cpu",
    strategy="ddp" if ranks > 1 else "auto",
    devices=ranks,
    max_steps=30,
    logger=False,
    enable_progress_bar=False,
    enable_checkpointing=False,
    callbacks=[PerfkitCallback("small", device="cpu", steps=6, warmup=2)],
).fit(Module(), torch.utils.data.DataLoader(torch.randn(256, 8), batch_size=4))

"""Lightning's Trainer in the mode that it has for measuring its own speed."""

import logging
import warnings

import lightning
import torch
from torch import Tensor
from torch.nn import functional as F

from peers.loaders import quickest_loader
from peers.task import Task, TrainRound


class Classifier(lightning.LightningModule):
    """The network, its loss and its optimizer."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.network, self._task = task.network(), task

    def training_step(self, batch: tuple[Tensor, Tensor], _index: int) -> Tensor:
        """Return the loss of a batch."""
        images_NCHW, labels = batch
        return F.cross_entropy(self.network(images_NCHW), labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer of the task."""
        return self._task.sgd(self.network)


def prepare(task: Task) -> TrainRound:
    """Return a round that goes on with the fit by an epoch."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")  # would rather have many workers
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
    module, batches = Classifier(task), quickest_loader(task)
    trainer = lightning.Trainer(
        accelerator="cpu" if task.device.type == "cpu" else "gpu",
        devices=1,
        barebones=True,
        max_epochs=0,
    )

    def train_round() -> int:
        trainer.fit_loop.max_epochs += 1
        trainer.fit(module, batches)
        return task.images

    return train_round

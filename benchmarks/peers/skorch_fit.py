"""skorch's NeuralNetClassifier, without validation, scores and lines."""

import torch
from skorch import NeuralNetClassifier
from torch.utils.data import DataLoader

from peers.loaders import images
from peers.task import Task, TrainRound


def prepare(task: Task) -> TrainRound:
    """Return a round of ``partial_fit``."""
    optim = task.experiment.optim
    kind = "v2" if task.files is None else "pil"
    dataset = images(task, kind)
    network = NeuralNetClassifier(
        task.network(),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        optimizer__momentum=optim.momentum,
        lr=optim.lr,
        batch_size=task.batch_size,
        max_epochs=1,
        iterator_train=DataLoader,
        iterator_train__shuffle=True,
        iterator_train__drop_last=True,
        train_split=None,
        callbacks="disable",
        verbose=0,
        device=str(task.device),
    ).initialize()

    def train_round() -> int:
        network.partial_fit(dataset, y=None)
        return task.images

    return train_round

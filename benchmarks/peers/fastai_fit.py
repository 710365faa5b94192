"""fastai's Learner over torch's DataLoader, with only the callback that a training needs."""

from functools import partial

import torch
from fastai.callback.core import TrainEvalCallback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.optimizer import OptimWrapper

from peers.loaders import quickest_loader
from peers.task import Task, TrainRound


def prepare(task: Task) -> TrainRound:
    """Return a round that fits one epoch more; there is nothing to validate."""
    batches, optim = quickest_loader(task), task.experiment.optim
    learner = Learner(
        DataLoaders(batches, []),
        task.network(),
        loss_func=CrossEntropyLossFlat(),
        opt_func=partial(OptimWrapper, opt=torch.optim.SGD, momentum=optim.momentum),
        lr=optim.lr,
        cbs=TrainEvalCallback,
        default_cbs=False,
    )

    def train_round() -> int:
        learner.fit(1)
        return task.images

    return train_round

"""The loop of the tutorials: a DataLoader, forward, backward, step."""

import torch
from torch.nn import functional as F

from cnn_core.training.device import Precision, autocast
from peers.loaders import Kind, Loader, loader
from peers.task import Task, TrainRound


def prepare(
    task: Task,
    *,
    kind: Kind,
    workers: int = 0,
    persistent: bool = False,
    precision: Precision = "fp32",
) -> TrainRound:
    """Return a round over a DataLoader of torch."""
    batches = loader(task, kind, workers=workers, persistent=persistent)
    return loop_over(task, batches, precision)


def loop_over(task: Task, batches: Loader, precision: Precision = "fp32") -> TrainRound:
    """Return a round over these batches, without any figures on the way."""
    network = task.network()
    optimizer = task.sgd(network)

    def train_round() -> int:
        seen = 0
        for images_NCHW, labels in batches:
            images_NCHW = images_NCHW.to(task.device, non_blocking=True)
            labels = labels.to(task.device, non_blocking=True)
            optimizer.zero_grad()
            with autocast(task.device, precision):
                loss = F.cross_entropy(network(images_NCHW), labels)
            loss.backward()
            optimizer.step()
            seen += len(labels)
        if task.device.type == "cuda":
            torch.cuda.synchronize(task.device)
        return seen

    return train_round

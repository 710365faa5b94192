"""What the machine can do: forward, backward and step on one batch that never moves."""

import torch
from torch import Tensor
from torch.nn import functional as F

from cnn_core.training.device import Precision, autocast
from peers.task import Task, TrainRound


def prepare(
    task: Task, *, channels_last: bool, fused: bool, precision: Precision = "fp32"
) -> TrainRound:
    """Return a round that uses the first batch of the task again and again."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = task.network().to(memory_format=layout)
    optimizer = task.sgd(network, fused=fused)
    images_NCHW, labels = first_batch(task)
    images_NCHW = images_NCHW.contiguous(memory_format=layout)

    def train_round() -> int:
        for _ in range(task.steps):
            optimizer.zero_grad()
            with autocast(task.device, precision):
                logits = network(images_NCHW)
            F.cross_entropy(logits.float(), labels).backward()
            optimizer.step()
        if task.device.type == "cuda":
            torch.cuda.synchronize(task.device)
        return task.images

    return train_round


def first_batch(task: Task) -> tuple[Tensor, Tensor]:
    """Return normalised images_NCHW and labels on the device."""
    data = task.data
    pixels_NHWC = torch.from_numpy(data.images_NHWC[data.train[: task.batch_size]])
    images_NHWC = (pixels_NHWC / 255 - torch.from_numpy(data.mean)) / torch.from_numpy(data.std)
    labels = task.labels[: task.batch_size].to(task.device)
    return images_NHWC.permute(0, 3, 1, 2).to(task.device), labels

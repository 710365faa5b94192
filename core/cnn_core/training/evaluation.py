"""Logits of a network on images it does not train on, and their metrics."""

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_core.training.batches import Batches, chunks
from cnn_core.training.device import Precision, autocast


@dataclasses.dataclass(frozen=True, slots=True)
class Metrics:
    """Means over all images: loss in nats, accuracies in 0..1; top5 only above five classes.

    ``class_images`` and ``class_correct`` count images and hits of each class.
    """

    loss: float
    acc: float
    top5: float | None
    class_images: tuple[int, ...]
    class_correct: tuple[int, ...]


def compute_logits(
    module: nn.Module,
    batches: Batches,
    positions: Tensor,
    *,
    batch_size: int,
    device: torch.device,
    precision: Precision,
) -> Tensor:
    """Return logits (N, classes) float32 on the CPU, in the order of positions (N,).

    The network runs in eval mode and is left in it.
    """
    module.eval()
    parts = []
    with torch.inference_mode():
        for part in chunks(positions, batch_size):
            images_NCHW = batches.normalize(batches.pixels(part))
            with autocast(device, precision):
                parts.append(module(images_NCHW).float())
        return torch.cat(parts).cpu()


def measure(logits: Tensor, labels: Tensor) -> Metrics:
    """Return the metrics of logits (N, classes) against labels (N,), both on the CPU."""
    classes = logits.shape[1]
    top5 = None
    if classes > 5:
        top5 = (logits.topk(5).indices == labels[:, None]).any(1).double().mean().item()
    # Of equal logits argmax takes the first, topk any one.
    hits = logits.argmax(1) == labels
    return Metrics(
        loss=F.cross_entropy(logits.double(), labels).item(),
        acc=hits.double().mean().item(),
        top5=top5,
        class_images=tuple(torch.bincount(labels, minlength=classes).tolist()),
        class_correct=tuple(torch.bincount(labels[hits], minlength=classes).tolist()),
    )

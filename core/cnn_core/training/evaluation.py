"""Logits of a network on images it does not train on, and their metrics."""

import dataclasses
from collections.abc import Callable
from contextlib import closing

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_core.training.control import Control
from cnn_core.training.device import Precision, autocast
from cnn_core.training.memory import in_halves
from cnn_core.training.plan import chunks
from cnn_core.training.ranks import Ranks
from cnn_core.training.supply import Inputs, Supply


class AbandonedError(Exception):
    """A stop was asked for before all images were evaluated."""


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


def evaluation_batch_size(batch_size: int, device: torch.device) -> int:
    """Return how many images to evaluate at once, beside steps of ``batch_size`` images.

    Without activations to keep for a backward pass four times as many fit, which a GPU is better
    used by; a CPU's caches are not.
    """
    return 4 * batch_size if device.type == "cuda" else max(batch_size, 64)


def compute_logits(
    module: nn.Module,
    supply: Supply,
    positions: Tensor,
    *,
    batch_size: int,
    device: torch.device,
    precision: Precision,
    before_batch: Callable[[], object] = lambda: None,
) -> Tensor:
    """Return logits (N, classes) float32 on the CPU, in the order of positions (N,).

    ``module`` is the network behind the supply: it is put, and left, in eval mode. Without
    positions the result is empty (0,). ``before_batch`` may raise what ends this.
    """
    module.eval()
    if len(positions) == 0:
        return torch.empty(0)

    def compute(inputs: Inputs) -> Tensor:
        with autocast(device, precision):
            output = supply.output(inputs)
        assert isinstance(output, Tensor)  # side branches are heard in training only
        return output.float()

    logits: list[Tensor] = []
    with torch.inference_mode(), closing(supply.load(chunks(positions, batch_size), 1)) as loaded:
        for inputs in loaded:
            before_batch()
            logits += in_halves(compute, inputs)
        return torch.cat(logits).cpu()


def evaluate(
    module: nn.Module,
    supply: Supply,
    positions: Tensor,
    labels: Tensor,
    batch_size: int,
    device: torch.device,
    precision: Precision,
    ranks: Ranks,
    control: Control,
) -> tuple[Tensor, Metrics]:
    """Return the logits (N, classes) at positions (N,), on the CPU, and their metrics.

    ``batch_size`` is that of training. Each process computes the logits of its share; the first
    one returns those of all. Raises AbandonedError where the control asks one alone to stop.
    """

    def look() -> None:
        if ranks.alone and control.asked_to_stop():
            raise AbandonedError

    logits = compute_logits(
        module,
        supply,
        positions[ranks.rows(len(positions))],
        batch_size=evaluation_batch_size(batch_size, device),
        device=device,
        precision=precision,
        before_batch=look,
    )
    metrics = None
    if (gathered := ranks.gathered(logits)) is not None:
        logits = torch.cat([some for some in gathered if len(some)])
        metrics = measure(logits, labels)
    metrics = ranks.from_first(metrics)
    assert metrics is not None
    return logits, metrics


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

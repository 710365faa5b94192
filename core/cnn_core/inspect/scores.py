"""How good predictions are: figures for all images, for each class, for each confidence."""

import dataclasses
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from cnn_core.errors import UserError
from cnn_core.training.evaluation import measure
from cnn_core.training.predictions import Predictions

_BINS = 15
_IMAGES_AT_ONCE = 1024


@dataclasses.dataclass(frozen=True, slots=True)
class ClassScore:
    """A class: precision, recall and F1 in 0..1, and ``support``, the number of its images.

    What would be divided by 0 is 0: the precision of a class that is never predicted, the recall
    of one without images.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclasses.dataclass(frozen=True, slots=True)
class Bin:
    """Images whose confidence is above ``low`` and at most ``high``; means are None of none."""

    low: float
    high: float
    images: int
    confidence: float | None
    accuracy: float | None


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Figures of N predictions; accuracies in 0..1, the loss in nats, all in float64.

    ``top5`` is None for five classes or fewer. ``balanced_accuracy`` is the mean recall of the
    classes that have images. ``macro`` is the mean over classes, ``weighted`` by their images.
    ``confusion`` (classes, classes) counts images: true class by row, predicted by column.
    ``ece`` is the expected calibration error over ``bins`` (Guo et al. 2017, "On Calibration of
    Modern Neural Networks", section 2).
    """

    images: int
    top1: float
    top5: float | None
    loss: float
    balanced_accuracy: float
    macro: ClassScore
    weighted: ClassScore
    classes: tuple[ClassScore, ...]
    confusion: NDArray[np.int64]
    ece: float
    bins: tuple[Bin, ...]


def score(predictions: Predictions) -> Scores:
    """Return the figures of predictions; UserError where there are none or they are no numbers."""
    logits_NC, labels = predictions.logits, predictions.labels
    if not len(labels):
        raise UserError("there are no images to judge by")
    if broken := int((~np.isfinite(logits_NC)).any(1).sum()):
        raise UserError(
            f"the logits of {broken:,} of {len(labels):,} images are no numbers: the weights have "
            "diverged; another checkpoint may be whole"
        )
    predicted, every = logits_NC.argmax(1), np.arange(len(predictions.classes))
    figures = measure(torch.from_numpy(logits_NC), torch.from_numpy(labels))

    def averaged(average: str | None) -> tuple[Any, ...]:
        found: tuple[Any, ...] = precision_recall_fscore_support(
            labels, predicted, labels=every, average=average, zero_division=0
        )
        return found

    def mean(average: str) -> ClassScore:
        precision, recall, f1 = map(float, averaged(average)[:3])
        return ClassScore(f"{average} mean", precision, recall, f1, len(labels))

    of_classes = tuple(
        ClassScore(name, float(precision), float(recall), float(f1), int(support))
        for name, precision, recall, f1, support in zip(
            predictions.classes, *averaged(None), strict=True
        )
    )
    bins = calibration(logits_NC, labels)
    return Scores(
        images=len(labels),
        top1=figures.acc,
        top5=figures.top5,
        loss=figures.loss,
        balanced_accuracy=float(np.mean([one.recall for one in of_classes if one.support])),
        macro=mean("macro"),
        weighted=mean("weighted"),
        classes=of_classes,
        confusion=np.asarray(confusion_matrix(labels, predicted, labels=every), np.int64),
        ece=sum(
            abs(one.accuracy - one.confidence) * one.images / len(labels)
            for one in bins
            if one.accuracy is not None and one.confidence is not None
        ),
        bins=bins,
    )


def probabilities(logits_NC: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the softmax of logits (N, classes)."""
    found: NDArray[np.float64] = torch.from_numpy(logits_NC).double().softmax(1).numpy()
    return found


def largest_probabilities(logits_NC: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """Return the ``count`` largest probabilities of each image (N, count), in falling order.

    Of a few images at a time: those of all, for ten thousand classes, would fill the memory.
    """
    found = np.zeros((len(logits_NC), count))
    for start in range(0, len(logits_NC), _IMAGES_AT_ONCE):
        some = logits_NC[start : start + _IMAGES_AT_ONCE]
        best = np.partition(probabilities(some), range(-count, 0), axis=1)[:, -count:]
        found[start : start + len(some)] = best[:, ::-1]
    return found


def calibration(
    logits_NC: NDArray[np.float32], labels: NDArray[np.int64], bins: int = _BINS
) -> tuple[Bin, ...]:
    """Return how often predictions of like confidence are right, in bins of equal width.

    The confidence is the probability of the predicted class (Guo et al. 2017).
    """
    confidence = largest_probabilities(logits_NC, 1)[:, 0]
    right = logits_NC.argmax(1) == labels
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges[1:-1], confidence)
    images = np.bincount(place, minlength=bins)
    sums = (np.bincount(place, weights, minlength=bins) for weights in (confidence, right))
    confidences, accuracies = (total / np.maximum(images, 1) for total in sums)
    return tuple(
        Bin(
            float(edges[i]),
            float(edges[i + 1]),
            int(images[i]),
            float(confidences[i]) if images[i] else None,
            float(accuracies[i]) if images[i] else None,
        )
        for i in range(bins)
    )


def most_confident_mistakes(predictions: Predictions, count: int) -> list[int]:
    """Return which images are wrong and most sure of it, the surest first."""
    logits_NC = predictions.logits
    wrong = np.flatnonzero(logits_NC.argmax(1) != predictions.labels)
    confidence = largest_probabilities(logits_NC[wrong], 1)[:, 0]
    found: list[int] = wrong[np.argsort(-confidence, kind="stable")[:count]].tolist()
    return found


def least_certain(predictions: Predictions, count: int) -> list[int]:
    """Return which images have the smallest margin between their two best classes, it first.

    The margin of probabilities, as in active learning (Scheffer et al. 2001).
    """
    if len(predictions.classes) < 2 or not len(predictions.labels):
        return []
    best = largest_probabilities(predictions.logits, 2)
    found: list[int] = np.argsort(best[:, 0] - best[:, 1], kind="stable")[:count].tolist()
    return found

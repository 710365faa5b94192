"""What predictions say of single images, and which classes are taken for which."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from cnn_core.inspect.scores import Scores, probabilities
from cnn_core.training.predictions import Predictions


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """An image, its class, and the two most probable ones; of a single class no ``second``."""

    image: str
    true: str
    predicted: str
    probability: float
    second: str | None
    second_probability: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Confusion:
    """How many images of the class ``true`` were taken for another; ``share`` of all its images."""

    true: str
    predicted: str
    images: int
    share: float


def verdicts(predictions: Predictions, rows: Sequence[int]) -> list[Verdict]:
    """Return what is said of the images at ``rows``, in that order."""
    chosen, classes = np.asarray(rows, np.int64), predictions.classes
    logits_NC = predictions.logits[chosen]
    # Of equal ones the first, as argmax has it.
    best = np.argsort(-logits_NC, axis=1, kind="stable")[:, :2].tolist()
    shares = probabilities(logits_NC)
    found = []
    for row, labels, share in zip(chosen.tolist(), best, shares, strict=True):
        first, second = labels[0], labels[1] if len(labels) > 1 else None
        found.append(
            Verdict(
                image=predictions.names[row],
                true=classes[predictions.labels[row]],
                predicted=classes[first],
                probability=float(share[first]),
                second=None if second is None else classes[second],
                second_probability=None if second is None else float(share[second]),
            )
        )
    return found


def confusions(scores: Scores) -> list[Confusion]:
    """Return which classes were taken for which, the largest number of images first."""
    wrong = scores.confusion.copy()
    np.fill_diagonal(wrong, 0)
    true, predicted = np.nonzero(wrong)
    order = np.argsort(-wrong[true, predicted], kind="stable")
    return [
        Confusion(
            scores.classes[row].name,
            scores.classes[column].name,
            int(wrong[row, column]),
            float(wrong[row, column] / scores.classes[row].support),
        )
        for row, column in zip(true[order].tolist(), predicted[order].tolist(), strict=True)
    ]


def main_confusions(scores: Scores) -> dict[str, Confusion]:
    """Return for each class that is ever mistaken what its images are taken for most."""
    found: dict[str, Confusion] = {}
    for confusion in confusions(scores):
        found.setdefault(confusion.true, confusion)
    return found

"""An evaluation for other programs: one document, and a table of its classes."""

import csv
import dataclasses
import io
from typing import Any

from cnn_core.inspect.scores import ClassScore, Scores, least_certain, most_confident_mistakes
from cnn_core.inspect.verdicts import main_confusions, verdicts
from cnn_core.runs.tables import csv_cell
from cnn_core.training.predictions import Predictions

MOST_CLASSES = 1000


def document(predictions: Predictions, scores: Scores, images: int) -> dict[str, Any]:
    """Return all figures, and at most ``images`` mistakes and as many images of least certainty.

    Accuracies, precisions and probabilities are in 0..1; rows of ``confusion`` are true classes.
    Of more than ``MOST_CLASSES`` there is no matrix: it would be hundreds of megabytes of zeros.
    """
    main = main_confusions(scores)
    return {
        "images": scores.images,
        "top1": scores.top1,
        "top5": scores.top5,
        "loss": scores.loss,
        "balanced_accuracy": scores.balanced_accuracy,
        "macro": _means(scores.macro),
        "weighted": _means(scores.weighted),
        "ece": scores.ece,
        "classes": [
            dataclasses.asdict(one)
            | {
                "taken_for": {"class": main[one.name].predicted, "images": main[one.name].images}
                if one.name in main
                else None
            }
            for one in scores.classes
        ],
        "confusion": scores.confusion.tolist() if len(scores.classes) <= MOST_CLASSES else None,
        "bins": [dataclasses.asdict(one) for one in scores.bins],
        "mistakes": [
            dataclasses.asdict(verdict)
            for verdict in verdicts(predictions, most_confident_mistakes(predictions, images))
        ],
        "least_certain": [
            dataclasses.asdict(verdict)
            for verdict in verdicts(predictions, least_certain(predictions, images))
        ],
    }


def classes_as_csv(scores: Scores) -> str:
    """Return a line for each class, in the order of labels: its figures, its main confusion."""
    main, text = main_confusions(scores), io.StringIO()
    columns = ["class", "recall", "precision", "f1", "images", "taken_for", "taken_for_images"]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for one in scores.classes:
        taken = main.get(one.name)
        writer.writerow(
            [csv_cell(one.name), one.recall, one.precision, one.f1, one.support]
            + ([csv_cell(taken.predicted), taken.images] if taken else ["", ""])
        )
    return text.getvalue()


def _means(score: ClassScore) -> dict[str, float]:
    return {"precision": score.precision, "recall": score.recall, "f1": score.f1}

"""An evaluation in the terminal: figures, classes, confusions, calibration, images."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.text import Text

from cnn_core.inspect.document import MOST_CLASSES
from cnn_core.inspect.scores import Scores, least_certain, most_confident_mistakes
from cnn_core.inspect.verdicts import Verdict, confusions, main_confusions, verdicts
from cnn_core.training.predictions import Predictions
from cnn_tui.charts.glyphs import bar
from cnn_tui.output import fitting, narrate, percent, print_facts, print_table

_CLASSES, _CONFUSIONS = 20, 10
# More classes than this are no matrix that anyone reads, however wide the terminal is.
_MATRIX = 20
_BAR = 20


def print_evaluation(
    title: Iterable[tuple[str, Any]], predictions: Predictions, scores: Scores, images: int
) -> None:
    """Write facts and figures, then tables; of many classes the worst."""
    print_facts([*title, *_figures(scores)])
    _print_means(scores)
    _print_classes(scores)
    _print_confusions(scores)
    _print_calibration(scores)
    _print_images(
        "surest mistakes", verdicts(predictions, most_confident_mistakes(predictions, images))
    )
    _print_images("least certain", verdicts(predictions, least_certain(predictions, images)))


def _figures(scores: Scores) -> list[tuple[str, str | None]]:
    figures = [("top-1", percent(scores.top1))]
    if scores.top5 is not None:
        figures.append(("top-5", percent(scores.top5)))
    return [
        *figures,
        ("loss", f"{scores.loss:.4f}"),
        ("balanced accuracy", percent(scores.balanced_accuracy)),
        ("calibration error", f"{percent(scores.ece)} (ECE, {len(scores.bins)} bins)"),
    ]


def _print_means(scores: Scores) -> None:
    rows = [
        [one.name, percent(one.precision), percent(one.recall), percent(one.f1)]
        for one in (scores.macro, scores.weighted)
    ]
    columns = ["over classes", "precision", "recall", "F1"]
    _print_section(columns, rows, right=columns[1:])


def _print_classes(scores: Scores) -> None:
    """Write the classes of the lowest recall, those without images last."""
    main = main_confusions(scores)
    ranked = sorted(scores.classes, key=lambda one: (not one.support, one.recall))
    rows = []
    for one in ranked[:_CLASSES]:
        taken = main.get(one.name)
        rows.append(
            [
                one.name,
                percent(one.recall) if one.support else None,
                percent(one.precision),
                percent(one.f1),
                f"{one.support:,}",
                f"{taken.predicted} ({taken.images:,})" if taken else "",
            ]
        )
    columns = ["class", "recall", "precision", "F1", "images", "most taken for"]
    _print_section(columns, rows, right=columns[1:5], fold=["class", "most taken for"])
    if (left := len(ranked) - len(rows)) > 0:
        narrate(f"and {left:,} classes of higher recall: --csv and --json have all")


def _print_confusions(scores: Scores) -> None:
    """Write the whole matrix where it fits, else the largest numbers in it."""
    if len(scores.classes) <= _MATRIX and _print_matrix(scores):
        return
    found = confusions(scores)
    if not found:
        return
    _print_section(
        ["images", "of the class", "are", "taken for"],
        [
            [f"{one.images:,}", percent(one.share), one.true, one.predicted]
            for one in found[:_CONFUSIONS]
        ],
        right=["images", "of the class"],
        fold=["are", "taken for"],
    )
    if (left := len(found) - _CONFUSIONS) > 0:
        where = ": --json has the whole matrix" if len(scores.classes) <= MOST_CLASSES else ""
        narrate(f"and {left:,} smaller confusions{where}")


def _print_matrix(scores: Scores) -> bool:
    """Write the whole matrix, or return False where the terminal is too narrow for it."""
    labels = [str(label) for label in range(len(scores.classes))]
    columns = ["", "is \\ taken for", *labels]
    rows: list[list[Any]] = [
        [labels[row], scores.classes[row].name, *(_count(images) for images in counts)]
        for row, counts in enumerate(scores.confusion.tolist())
    ]
    for row, cells in enumerate(rows):
        cells[2 + row].stylize("bold")
    if fitting(columns, rows) < len(columns):
        return False
    _print_section(columns, rows, right=["", *labels])
    return True


def _print_calibration(scores: Scores) -> None:
    rows = [
        [
            f"{one.low:.2f} to {one.high:.2f}",
            f"{one.images:,}",
            percent(one.confidence),
            percent(one.accuracy),
            bar(one.accuracy, 1, _BAR),
        ]
        for one in scores.bins
        if one.accuracy is not None
    ]
    columns = ["confidence", "images", "mean", "accuracy", ""]
    _print_section(columns, rows, right=columns[1:4])


def _print_images(title: str, found: Sequence[Verdict]) -> None:
    if not found:
        return
    rows = [
        [
            one.image,
            one.true,
            f"{percent(one.probability)} {one.predicted}",
            None if one.second is None else f"{percent(one.second_probability)} {one.second}",
        ]
        for one in found
    ]
    columns = [title, "is", "taken for", "then"]
    _print_section(columns, rows, fold=columns)


def _print_section(columns: Sequence[str], rows: Sequence[Sequence[Any]], **options: Any) -> None:
    sys.stdout.write("\n")
    print_table(columns, rows, **options)


def _count(images: int) -> Text:
    return Text(f"{images:,}") if images else Text("·", "dim")

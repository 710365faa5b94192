"""What a run's predictions show: figures, classes, confusions, confidence, single images."""

from collections.abc import Sequence

from cnn_core.inspect.document import MOST_CLASSES
from cnn_core.inspect.scores import ClassScore
from cnn_core.inspect.verdicts import Verdict, confusions
from cnn_core.quantities import percent
from cnn_core.report.blocks import Block, Figures, Folded, Gallery, Section, Tile, Words
from cnn_core.report.details import folded_if_long, missing
from cnn_core.report.figures import MOST_NUMBERED, confusion, reliability
from cnn_core.report.material import Absent, Judged, Material, Part, Seen
from cnn_core.runs.tables import Table

_CONFUSIONS = 20
_TITLES = {"test": "Test", "val": "Validation"}


def judgement_sections(one: Material, part: Part, anchor: str) -> list[Section]:
    """Return the sections about the predictions of the best weights on a part of the images."""

    def under(name: str) -> str:
        return f"{anchor}-{name}" if anchor else name

    title, judged = _TITLES[part], one.judged
    if isinstance(judged, Absent):
        words = missing(f"There are no {title.lower()} predictions to judge by", judged)
        return [Section(title, under("judged"), [words])]
    return [
        Section(title, under("judged"), [*_figures(judged), *_classes(judged)]),
        Section("Confusion", under("confusion"), _confusion(judged)),
        Section("Calibration", under("calibration"), _calibration(judged)),
        Section(
            "Most confident mistakes",
            under("mistakes"),
            _images(judged, judged.mistakes, "mistakes", "No image is classified wrongly."),
        ),
        Section(
            "Least certain images",
            under("uncertain"),
            [
                Words("The two most probable classes differ by the least."),
                *_images(judged, judged.uncertain, "uncertain", "There is one class only."),
            ],
        ),
    ]


def _figures(judged: Judged) -> list[Block]:
    scores = judged.scores
    rows: list[list[str | None]] = [
        ["images", f"{scores.images:,}"],
        ["accuracy", percent(scores.top1)],
        ["top-5 accuracy", percent(scores.top5)],
        ["balanced accuracy (mean recall)", percent(scores.balanced_accuracy)],
        ["loss", f"{scores.loss:.4f}"],
        ["F1, mean of classes", f"{scores.macro.f1:.4f}"],
        ["F1, weighted by images", f"{scores.weighted.f1:.4f}"],
    ]
    rows = [row for row in rows if row[1] is not None]
    table = Table(["", ""], rows, frozenset({1}))
    remarks = [Words(f"Warning: {text}.", missing=True) for text in judged.remarks]
    return [*remarks, Words("Of the best weights:"), table]


def _classes(judged: Judged) -> list[Block]:
    scores = judged.scores
    every = (*scores.classes, scores.macro, scores.weighted)
    last = frozenset((row, 0) for row in (len(every) - 2, len(every) - 1))
    table = Table(
        ["class", "precision", "recall", "F1", "images"],
        [_class_row(one) for one in every],
        frozenset({1, 2, 3, 4}),
        last,
    )
    return [folded_if_long("Each class", table, len(scores.classes))]


def _class_row(one: ClassScore) -> list[str | None]:
    return [one.name, *(f"{value:.4f}" for value in (one.precision, one.recall, one.f1)),
            f"{one.support:,}"]  # fmt: skip


def _confusion(judged: Judged) -> list[Block]:
    scores, classes = judged.scores, judged.classes
    blocks: list[Block] = [
        Figures((confusion(scores.confusion, classes),))
        if len(classes) <= MOST_CLASSES
        else Words(f"{len(classes):,} classes are no matrix that anyone could look at.")
    ]
    rows: list[list[str | None]] = [
        [one.true, one.predicted, f"{one.images:,}", percent(one.share)]
        for one in confusions(scores)[:_CONFUSIONS]
    ]
    if not rows:
        return [*blocks, Words("No class is taken for another.")]
    columns = ["true class", "predicted", "images", "of its class"]
    table = Table(columns, rows, frozenset({2, 3}))
    if len(classes) <= MOST_NUMBERED:
        return [*blocks, Folded("Largest confusions", (table,))]
    numbers: list[list[str | None]] = [[str(n), name] for n, name in enumerate(classes)]
    names = Table(["number", "class"], numbers, frozenset({0}))
    return [*blocks, Words("The largest confusions:"), table, Folded("Class numbers", (names,))]


def _calibration(judged: Judged) -> list[Block]:
    scores = judged.scores
    known = [one for one in scores.bins if one.accuracy is not None and one.confidence is not None]
    rows: list[list[str | None]] = [
        [f"{one.low:.0%} to {one.high:.0%}", f"{one.images:,}", percent(one.confidence),
         percent(one.accuracy)]
        for one in known
    ]  # fmt: skip
    table = Table(["confidence", "images", "mean confidence", "right"], rows, frozenset({1, 2, 3}))
    return [
        Words(
            f"Expected calibration error {percent(scores.ece)}: how far, on average over the "
            "images, the confidence in a prediction is from how often such predictions are right."
        ),
        Figures((reliability(scores.bins),)),
        Folded("The bins", (table,)),
    ]


def _images(judged: Judged, images: Sequence[Seen], name: str, none: str) -> list[Block]:
    """Return the pictures with what they are and what they are taken for; else the words alone."""
    if not images:
        return [Words(none)]
    columns = ["image", "true class", "predicted", "probability", "second", "its probability"]
    rows: list[list[str | None]] = [
        [one.image, one.true, one.predicted, percent(one.probability), one.second,
         percent(one.second_probability)]
        for one in (image.verdict for image in images)
    ]  # fmt: skip
    table = Table(columns, rows, frozenset({3, 5}))
    tiles = tuple(
        Tile(one.picture_HWC, one.verdict.image, _caption(one.verdict))
        for one in images
        if one.picture_HWC is not None
    )
    if len(tiles) == len(images):
        return [Gallery(name, tiles), Folded("File names and probabilities", (table,))]
    words = Words(f"Pictures are missing: {judged.no_pictures}", missing=True)
    return [*([Gallery(name, tiles)] if tiles else []), words, table]


def _caption(one: Verdict) -> tuple[str, ...]:
    lines = (f"is {one.true}", f"{one.probability:.1%} {one.predicted}")
    if one.second is None:
        return lines
    return (*lines, f"{one.second_probability:.1%} {one.second}")

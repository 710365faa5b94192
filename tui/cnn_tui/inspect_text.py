"""What the page that looks into a run says in words and figures, without a screen."""

import math
from typing import TYPE_CHECKING

from rich.text import Text
from textual.content import Content

from cnn_core.errors import printable
from cnn_core.progress import Progress
from cnn_tui.charts.glyphs import bar, sparkline
from cnn_tui.inspection_parts import Judged, Pair
from cnn_tui.output import literal, percent
from cnn_tui.run_text import MUTED

if TYPE_CHECKING:
    from cnn_core.inspect.scores import Scores

_BAR = 14
_TOP = 5


def progress_text(progress: Progress, width: int) -> str:
    """Return what is being done and how far it is, in one line."""
    what = printable(progress.what)
    if not progress.total:
        return f"{what}…"
    count = f"{progress.done:,}/{progress.total:,}"
    return f"{what} {count} {bar(progress.done, progress.total, min(width, 20)).plain}"


def where_text(part: str, checkpoint: str, judged: Judged | None) -> str:
    """Return which images and which weights are looked at."""
    if judged is None:
        return f"{part} split · {checkpoint} checkpoint"
    epoch = f", epoch {judged.epoch}" if judged.epoch is not None else ""
    so_far = " so far: the run is being trained" if judged.live else ""
    images = f"{len(judged.predicted):,} images"
    return f"{part} split, {images} · {checkpoint} checkpoint{epoch}{so_far}"


def head_text(judged: Judged) -> Text:
    """Return the figures of all images in a line or two."""
    scores = judged.scores
    figures = [
        ("top-1", percent(scores.top1)),
        ("top-5", percent(scores.top5)),
        ("loss", f"{scores.loss:.4f}"),
        ("balanced", percent(scores.balanced_accuracy)),
        ("ECE", percent(scores.ece)),
    ]
    line = Text()
    for name, figure in figures:
        if figure is not None:
            line.append("   " if line else "").append(f"{name} ", "dim").append(figure, "bold")
    return line


def calibration_text(scores: "Scores", *, brief: bool) -> Text:
    """Return for each confidence how often it is right: a line each, or two lines of all."""
    if brief:
        said, right = (
            # Both ends of the scale, or a flat curve would fill it.
            sparkline([math.nan if x is None else x for x in values] + [0.0, 1.0], 99)[:-2]
            for values in zip(*((one.confidence, one.accuracy) for one in scores.bins), strict=True)
        )
        return Text.assemble(
            ("calibration  confidence ", "dim"), said, ("  accuracy ", "dim"), right
        )
    lines = [Text("confidence        accuracy    images", "bold")]
    for one in reversed(scores.bins):
        span = f"{100 * one.low:3.0f}–{100 * one.high:3.0f} %  "
        if one.accuracy is None or one.confidence is None:
            lines.append(Text(f"{span}{'·':>{_BAR}}", "dim"))
            continue
        drawn = bar(one.accuracy, 1, _BAR).plain
        at = min(int(one.confidence * _BAR), _BAR - 1)
        lines.append(
            Text.assemble(
                (span, "dim"),
                drawn[:at],
                ("┃", "bold"),
                drawn[at + 1 :],
                f" {percent(one.accuracy):>7}",
                (f" {one.images:>7,}", "dim"),
            )
        )
    lines.append(Text("┃ where the bar ended if it knew", "dim"))
    return Text("\n").join(lines)


def cell_text(judged: Judged, pair: Pair) -> Text:
    """Return what a cell of the confusion matrix counts, in words."""
    classes, scores = judged.predictions.classes, judged.scores
    true, predicted = pair
    count, images = int(scores.confusion[true, predicted]), scores.classes[true].support
    share = f" ({count / images:.1%})" if images else ""
    name, other = literal(classes[true]), literal(classes[predicted])
    text = Text.assemble(f"{count:,} of {images:,}{share} ", (name.plain, "bold"))
    if true == predicted:
        return text.append(" are told right")
    return text.append(" taken for ").append(other.plain, "bold")


def top_text(judged: Judged, image: int, width: int) -> Text:
    """Return name and class of an image, and its most probable classes as bars."""
    predictions, shares = judged.predictions, judged.probabilities_NC[image]
    label = int(predictions.labels[image])
    cells = max(width - 8, 4)
    lines = [_cut(predictions.names[image], width, "dim"), Text()]
    lines.append(Text.assemble(("is ", "dim"), _cut(predictions.classes[label], width - 3, "bold")))
    lines.append(Text())
    for other in (-shares).argsort(kind="stable")[:_TOP]:
        sign = "✓ " if other == label else "  "
        lines.append(Text(sign).append_text(_cut(predictions.classes[other], width - 2, "")))
        lines.append(Text.assemble(bar(shares[other], 1, cells), f" {shares[other]:6.1%}"))
    return Text("\n").join(lines)


def caption(judged: Judged, image: int, width: int) -> Content:
    """Return true class, prediction and its probability, in two lines."""
    predictions = judged.predictions
    label, predicted = int(predictions.labels[image]), int(judged.predicted[image])
    share = f" {judged.confidence[image]:.0%}"
    first = Content(printable(predictions.classes[label])).truncate(width, ellipsis=True)
    shown = Content(printable(predictions.classes[predicted]))
    second = shown.truncate(max(width - 2 - len(share), 1), ellipsis=True)
    colour = "$success" if label == predicted else "$error"
    return Content.assemble(
        first, "\n", (("= " if label == predicted else "→ "), colour), second, (share, MUTED)
    )


def _cut(name: str, width: int, style: str) -> Text:
    text = literal(name)
    text.truncate(max(width, 1), overflow="ellipsis")
    text.stylize(style)
    return text

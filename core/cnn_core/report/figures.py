"""Figures of a report: curves of one run or of several, confusions, calibration."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnn_core.figures.chart import chart_figure
from cnn_core.figures.curves import Curve, View, x_extent
from cnn_core.figures.files import literal, new_figure
from cnn_core.figures.series import Floats, reduce_to_columns
from cnn_core.inspect.scores import Bin
from cnn_core.report.blocks import Figure, Figures
from cnn_core.runs.series import Metric, RunSeries

SIZE = (6.0, 3.6)
MOST_NUMBERED = 20
"""Classes of which a confusion matrix has room for numbers."""

_COLUMNS = 400
# Curves that reach over more than this are told apart on a logarithmic axis only.
_WIDE = 50.0
_LONGEST_NAME = 24

# Style and label of the two curves of a run, and what a run alone is shown by.
_ALONE: tuple[tuple[str, str, tuple[tuple[Metric, str, int], ...]], ...] = (
    ("loss", "Loss", (("train_loss", "training", 0), ("val_loss", "validation", 1))),
    ("accuracy", "Accuracy", (("train_acc", "training", 0), ("val_acc", "validation", 1))),
    ("learning-rate", "Learning rate", (("lr", "learning rate", 2),)),
)
_TOGETHER: tuple[tuple[Metric, str, str], ...] = (
    ("train_loss", "training-loss", "Training loss"),
    ("val_loss", "validation-loss", "Validation loss"),
    ("train_acc", "training-accuracy", "Training accuracy"),
    ("val_acc", "validation-accuracy", "Validation accuracy"),
    ("lr", "learning-rate", "Learning rate"),
)


def curves_alone(series: RunSeries) -> Figures:
    """Return the figures of a run's curves; none before its first epoch."""
    best = series.best_epoch
    marks = ((float(best), f"best: epoch {best}"),) if best else ()
    figures: list[Figure] = []
    legend: dict[str, int] = {}
    for name, title, metrics in _ALONE:
        curves = [_curve(series, metric, label, style) for metric, label, style in metrics]
        known = tuple(curve for curve in curves if np.isfinite(curve.y).any())
        if known:
            figures.append(_chart(name, title, known, marks=marks))
        if len(metrics) > 1:
            legend |= {curve.label: curve.style for curve in known}
    return Figures(tuple(figures), tuple(legend.items()))


def curves_together(runs: Sequence[tuple[str, str, RunSeries]]) -> Figures:
    """Return a figure for each metric with a curve for each run: its letter, name, series."""
    figures = []
    for metric, name, title in _TOGETHER:
        found = [
            (letter, _curve(series, metric, f"{letter} {called}", style))
            for style, (letter, called, series) in enumerate(runs)
        ]
        known = [(letter, curve) for letter, curve in found if np.isfinite(curve.y).any()]
        if known:
            letters = tuple(letter for letter, _ in known)
            figures.append(_chart(name, title, tuple(curve for _, curve in known), ends=letters))
    legend = tuple((f"{letter} {called}", style) for style, (letter, called, _) in enumerate(runs))
    return Figures(tuple(figures), legend)


def confusion(counts: NDArray[np.int64], classes: Sequence[str]) -> Figure:
    """Return the matrix (classes, classes) as a picture, each row as shares of its true class.

    Few classes are named, with the number of images in each cell.
    """
    few = len(classes) <= MOST_NUMBERED
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)

    def draw(_legend: bool) -> Any:
        side = max(4.0, 1.6 + 0.42 * len(classes)) if few else 6.0
        figure = new_figure(side + 0.6, side)
        axes = figure.add_subplot()
        # Of many classes what is off the diagonal is a few images in a row: the root shows them.
        shown = shares if few else np.sqrt(shares)
        image = axes.imshow(shown, cmap="Blues", vmin=0, vmax=1, interpolation="none")
        axes.set(xlabel="predicted class", ylabel="true class")
        if few:
            _name_cells(axes, counts, shares, classes)
        bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
        ticks = [0, 0.25, 0.5, 0.75, 1] if few else [0, 0.1, 0.25, 0.5, 1]
        bar.set_ticks(ticks if few else list(np.sqrt(ticks)), labels=[f"{t:.0%}" for t in ticks])
        bar.outline.set_visible(False)
        axes.spines[:].set_visible(False)
        return figure

    numbers = "numbers are images" if few else "classes by their number, counted from 0"
    return Figure("confusion", f"Confusion matrix: shares of each true class; {numbers}", draw)


def reliability(bins: Sequence[Bin]) -> Figure:
    """Return how often predictions of like confidence are right, beside what they claim."""

    def draw(_legend: bool) -> Any:
        figure = new_figure(*SIZE)
        axes = figure.add_subplot()
        known = [one for one in bins if one.accuracy is not None]
        axes.plot([0, 100], [0, 100], color="black", linewidth=1, linestyle=":", zorder=3)
        axes.bar(
            [50 * (one.low + one.high) for one in known],
            [100 * (one.accuracy or 0.0) for one in known],
            width=[94 * (one.high - one.low) for one in known],
            color=(0.0, 95 / 255, 175 / 255),
        )
        axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="confidence (%)", ylabel="right (%)")
        axes.spines[["top", "right"]].set_visible(False)
        return figure

    return Figure(
        "calibration",
        "How often predictions are right; on the dotted line, as often as they claim",
        draw,
    )


def _name_cells(
    axes: Any, counts: NDArray[np.int64], shares: Floats, classes: Sequence[str]
) -> None:
    places = range(len(classes))
    names = [literal(_short(name)) for name in classes]
    axes.set_xticks(places, names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, names)
    for row in places:
        for column in places:
            ink = "#fefefe" if shares[row, column] > 0.5 else "#101010"
            axes.text(
                column,
                row,
                f"{counts[row, column]:,}" if counts[row, column] else "·",
                ha="center",
                va="center",
                color=ink,
                fontsize=8,
            )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _curve(series: RunSeries, metric: Metric, label: str, style: int) -> Curve:
    x, y = series.points(metric, "epoch")
    return Curve(label, x, 100 * y if metric.endswith("_acc") else y, style)


def _chart(
    name: str,
    title: str,
    curves: tuple[Curve, ...],
    *,
    marks: tuple[tuple[float, str], ...] = (),
    ends: tuple[str, ...] = (),
) -> Figure:
    accuracy = "accuracy" in name
    # Many schedules end at next to nothing: that alone is no reason to look at it closely.
    log_y = not accuracy and _is_wide(curves, peaks=name == "learning-rate")
    unit = "%" if accuracy else "logarithmic" if log_y else ""
    view = View(x_label="epoch", y_label=unit, log_y=log_y, marks=marks)
    extent = x_extent(curves)
    short = curves
    if extent is not None:
        short = tuple(
            Curve(one.label, *reduce_to_columns(one.x, one.y, _COLUMNS, extent), one.style)
            for one in curves
        )

    def draw(legend: bool) -> Any:
        place: Literal["below", "none"] = "below" if legend and len(short) > 1 else "none"
        return chart_figure(short, view, size=SIZE, legend=place, ends=ends)

    return Figure(name, title, draw)


def _is_wide(curves: Sequence[Curve], *, peaks: bool) -> bool:
    """Return whether the values, or the ``peaks`` of the curves, are of many magnitudes."""
    values = np.concatenate([[np.nanmax(curve.y)] if peaks else curve.y for curve in curves])
    values = values[np.isfinite(values) & (values > 0)]
    return bool(len(values)) and float(values.max() / values.min()) > _WIDE

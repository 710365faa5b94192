"""The curves that the page of a run draws in each of its charts."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cnn_core.runs.series import Metric, RunSeries, XAxis
from cnn_tui.charts.plot import Curve

_TRAIN, _VAL, _RATE = 0, 1, 2  # styles


def same_curves(some: Sequence[Curve], others: Sequence[Curve]) -> bool:
    """Return whether two charts would look the same: accuracies stay while steps are done."""
    return len(some) == len(others) and all(
        (one.label, one.faded) == (other.label, other.faded)
        and np.array_equal(one.x, other.x)
        and np.array_equal(one.y, other.y, equal_nan=True)
        for one, other in zip(some, others, strict=True)
    )


def run_curves(series: RunSeries, x_axis: XAxis) -> dict[str, list[Curve]]:
    """Return the curves of each pane; those without a single value are left out."""

    def curve(metric: Metric, label: str, style: int, scale: float = 1.0) -> list[Curve]:
        x, y = series.points(metric, x_axis)
        return [Curve(label, x, y * scale, style)] if np.isfinite(y).any() else []

    means = [*curve("train_loss", "train", _TRAIN), *curve("val_loss", "val", _VAL)]
    x, y = _steps(series, x_axis)
    # Until there is a line of means to look at, the steps are not its background.
    steps = [Curve("steps", x, y, _TRAIN, faded=len(series.points("train_loss", x_axis)[0]) > 1)]
    return {
        "loss": [*(steps if len(x) else []), *means],
        "accuracy": [
            *curve("train_acc", "train", _TRAIN, 100),
            *curve("val_acc", "val", _VAL, 100),
        ],
        "rate": curve("lr", "rate", _RATE),
    }


def _steps(
    series: RunSeries, x_axis: XAxis
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the losses of steps, with a gap where whole epochs were too short to tell of any."""
    x, y = series.points("loss", x_axis)
    epochs, _ = series.points("loss", "epoch")
    gaps = np.flatnonzero(np.diff(epochs) >= 2) + 1
    return np.insert(x, gaps, (x[gaps - 1] + x[gaps]) / 2), np.insert(y, gaps, np.nan)


def best_mark(series: RunSeries, x_axis: XAxis) -> list[tuple[float, str]]:
    """Return where the epoch with the best weights ended, as a mark of a chart."""
    if series.best_epoch is None:
        return []
    epochs, _ = series.points("train_loss", "epoch")
    x, _ = series.points("train_loss", x_axis)
    return [(float(at), "best") for at in x[epochs == series.best_epoch]]

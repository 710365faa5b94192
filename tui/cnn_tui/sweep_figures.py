"""What the pictures of a sweep show: the metric against a parameter, over time, all at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cnn_core.figures.curves import Curve, View
from cnn_core.figures.series import Floats
from cnn_core.runs.dotted import value_at
from cnn_core.search.sweep_config import Parameter, Sweep, name_of
from cnn_tui.charts.parallel import Axis
from cnn_tui.output import percent

if TYPE_CHECKING:
    from cnn_core.search.results import SweepResults, TrialRow

Shown = Literal["metric", "both", "test"]
SHOWN: tuple[Shown, ...] = ("metric", "both", "test")

# Styles of the palette.
_FIRST, _SECOND, _BEST, _OTHERS = 0, 1, 2, 5
# A list of numbers from the smallest to this many times as much is spread by its logarithm.
_WIDE = 50.0


@dataclass(frozen=True, slots=True)
class Figure:
    """Curves and how they are looked at."""

    title: str
    curves: list[Curve]
    view: View


@dataclass(frozen=True, slots=True)
class Scale:
    """The axis of a parameter: names in their order, else numbers or their logarithms."""

    low: float
    high: float
    log: bool = False
    names: tuple[str, ...] = ()

    def place(self, value: Any) -> float:
        """Return where a value stands: the number of its name, a number or its logarithm."""
        if self.names:
            name = name_of(value)
            return float(self.names.index(name)) if name in self.names else math.nan
        return math.log10(value) if self.log else float(value)

    def share(self, value: Any) -> float:
        """Return where it stands between the ends, in 0..1."""
        span = self.high - self.low
        return (self.place(value) - self.low) / span if span > 0 else 0.5

    @property
    def labels(self) -> tuple[tuple[float, str], ...]:
        """The names, or the ends, at places in 0..1."""
        if self.names:
            return tuple((self.share(name), name) for name in self.names)
        ends = sorted({self.low, self.high})
        shares = (0.0, 1.0) if len(ends) == 2 else (0.5,)
        values = [10**end if self.log else end for end in ends]
        return tuple(zip(shares, (f"{value:.4g}" for value in values), strict=True))


def scale_of(parameter: Parameter) -> Scale:
    """Return the axis that suits the values that a parameter may take."""
    values = parameter.values
    if values is None:
        low, high = float(parameter.low or 0.0), float(parameter.high or 0.0)
        if parameter.log:
            return Scale(math.log10(low), math.log10(high), log=True)
        return Scale(low, high)
    numeric = parameter.labels is None and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )
    if not numeric:
        names = tuple(parameter.names())
        return Scale(0.0, float(len(names) - 1), names=names)
    low, high = float(min(values)), float(max(values))
    if low > 0 and high > _WIDE * low:
        return Scale(math.log10(low), math.log10(high), log=True)
    if low > 0 or _is_even(values):
        return Scale(low, high)
    # Zero has no logarithm, and beside a large one all small ones would lie on one spot.
    names = tuple(name_of(value) for value in sorted(values))
    return Scale(0.0, float(len(names) - 1), names=names)


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Return the last parts of dotted keys, longer where those are alike."""
    parts = {key: key.split(".") for key in keys}
    short = {}
    for key, own in parts.items():
        length = 1
        while length < len(own) and any(
            other[-length:] == own[-length:] for name, other in parts.items() if name != key
        ):
            length += 1
        short[key] = ".".join(own[-length:])
    return short


def is_share(metric: str) -> bool:
    """Return whether a metric is a fraction, which is shown in percent."""
    return not metric.endswith("loss")


def metric_text(metric: str, value: float | None) -> str:
    """Return a value of the metric as it is shown in tables; empty if there is none."""
    if value is None:
        return ""
    return (percent(value) or "") if is_share(metric) else f"{value:.4f}"


def metric_figure(sweep: Sweep, results: "SweepResults", key: str, shown: Shown) -> Figure:
    """Return the trials' metric over one parameter, with means where values were tried again.

    ``both`` are training and validation at the end of the last epoch, ``test`` is the test of the
    best weights; of finished trials.
    """
    scale = scale_of(sweep.parameters[key])
    metric = sweep.search.metric
    finished = [trial for trial in results.trials if trial.status == "finished"]
    kind = "acc" if is_share(metric) else "loss"
    curves: list[Curve] = []
    if shown == "metric":
        others = [trial for trial in results.trials if trial.status != "finished"]
        curves += _series(sweep, scale, key, metric, _FIRST, finished, "")
        curves += _points("not finished", scale, key, others, "", _OTHERS, faded=True)
        if (best := results.best) is not None:
            curves += _points(f"best: trial {best.number}", scale, key, [best], "", _BEST)
        title = metric
    elif shown == "both":
        curves += _series(sweep, scale, key, "validation", _FIRST, finished, f"last.val_{kind}")
        curves += _series(sweep, scale, key, "training", _SECOND, finished, f"last.train_{kind}")
        title = f"training and validation {_WORDS[kind]} of the last epoch"
    else:
        curves += _series(sweep, scale, key, "test", _FIRST, finished, f"test.{kind}")
        title = f"test {_WORDS[kind]}, best weights"
    unit = "%" if kind == "acc" else ""
    view = View("" if scale.names else key, unit, log_x=scale.log, x_names=scale.names)
    return Figure(f"{title} by {key}", _in_unit(curves, kind), view)


def history_figure(sweep: Sweep, results: "SweepResults") -> Figure:
    """Return the metric of each trial by its number, and the best so far."""
    metric = sweep.search.metric
    finished = [
        trial for trial in results.trials if trial.status == "finished" and trial.value is not None
    ]
    others = [trial for trial in results.trials if trial.status != "finished"]
    numbers = np.array([float(trial.number) for trial in finished])
    values = np.array([float(trial.value or 0.0) for trial in finished])
    best = np.maximum if sweep.search.maximizes else np.minimum
    so_far = best.accumulate(values) if len(values) else values
    # A step at each trial: its number with the best before it, and with the best since.
    steps = np.repeat(so_far, 2)[:-1], np.repeat(numbers, 2)[1:]
    # The last ones are drawn over the others.
    curves = [Curve("best so far", steps[1], steps[0], _BEST)]
    known = [trial for trial in others if trial.value is not None]
    if known:
        x = np.array([float(trial.number) for trial in known])
        y = np.array([float(trial.value or 0.0) for trial in known])
        curves.append(Curve("not finished", x, y, _OTHERS, faded=True, joined=False))
    curves.append(Curve("finished", numbers, values, _FIRST, joined=False))
    kind = "acc" if is_share(metric) else "loss"
    view = View("trial", "%" if kind == "acc" else "")
    return Figure(f"{metric} by trial", _in_unit(curves, kind), view)


def parallel_axes(sweep: Sweep, results: "SweepResults") -> tuple[list[Axis], Floats]:
    """Return an axis for each parameter and one for the metric, and the merit of each trial.

    Merits are ranks in 0..1, of the trials that finished.
    """
    metric = sweep.search.metric
    finished = [
        trial
        for trial in results.trials
        if trial.status == "finished" and trial.value is not None and math.isfinite(trial.value)
    ]
    short = short_names(list(sweep.parameters))
    axes = []
    for key, parameter in sweep.parameters.items():
        scale = scale_of(parameter)
        places = np.array([_place(trial, key, scale.share) for trial in finished])
        axes.append(Axis(short[key], places, scale.labels))
    values = np.array([float(trial.value or 0.0) for trial in finished])
    if len(values):
        low, high = float(values.min()), float(values.max())
        span = high - low
        shares = (values - low) / span if span else np.full(len(values), 0.5)
        ends = ((0.0, low), (1.0, high)) if span else ((0.5, low),)
        labels = tuple((place, metric_text(metric, value)) for place, value in ends)
        axes.append(Axis(metric, shares, labels))
    merit = values if sweep.search.maximizes else -values
    ranks = np.searchsorted(np.sort(merit), merit, side="right") / max(len(merit), 1)
    return axes, ranks


_WORDS = {"acc": "accuracy", "loss": "loss"}


def _is_even(values: Sequence[float]) -> bool:
    """Return whether numbers stand about as far from each other everywhere."""
    gaps = np.diff(np.sort(np.asarray(values, np.float64)))
    return not len(gaps) or float(gaps.max()) <= 10 * float(gaps.min())


def _place(trial: "TrialRow", key: str, place: Any) -> float:
    return float(place(trial.params[key])) if key in trial.params else math.nan


def _xy(scale: Scale, key: str, trials: Sequence["TrialRow"], source: str) -> tuple[Floats, Floats]:
    """Return places on the axis, and values: of a key of the run's row, or the metric's."""
    pairs = [
        (_place(trial, key, scale.place), value)
        for trial in trials
        if isinstance(value := value_at(trial.row or {}, source) if source else trial.value, float)
    ]
    return np.array([x for x, _ in pairs]), np.array([y for _, y in pairs])


def _points(
    label: str,
    scale: Scale,
    key: str,
    trials: Sequence["TrialRow"],
    source: str,
    style: int,
    *,
    faded: bool = False,
) -> list[Curve]:
    x, y = _xy(scale, key, trials, source)
    return [Curve(label, x, y, style, faded=faded, joined=False)] if len(x) else []


def _series(
    sweep: Sweep,
    scale: Scale,
    key: str,
    label: str,
    style: int,
    trials: Sequence["TrialRow"],
    source: str,
) -> list[Curve]:
    """Return points; with the line of means through them where values were tried again."""
    x, y = _xy(scale, key, trials, source)
    finite = np.isfinite(x) & np.isfinite(y)
    places = np.unique(x[finite])
    if len(places) < 2 or (2 * len(places) > finite.sum() and sweep.search.sampler != "grid"):
        return _points(label, scale, key, trials, source, style)
    means = np.array([y[finite & (x == place)].mean() for place in places])
    if len(places) == finite.sum():  # each value once: the points are their means
        return [Curve(label, places, means, style)]
    return [
        *_points(label, scale, key, trials, source, style, faded=True),
        Curve(f"{label}, mean", places, means, style),
    ]


def _in_unit(curves: Sequence[Curve], kind: str) -> list[Curve]:
    if kind == "loss":
        return list(curves)
    return [
        Curve(one.label, one.x, 100 * one.y, one.style, faded=one.faded, joined=one.joined)
        for one in curves
    ]

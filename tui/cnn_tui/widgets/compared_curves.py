"""Two charts of the runs of a comparison, and the line that chooses what they show."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from cnn_core.runs.series import Metric, XAxis
from cnn_tui.charts.plot import Curve, View
from cnn_tui.lineup import Entrant
from cnn_tui.settings import State
from cnn_tui.widgets.chart import Chart
from cnn_tui.widgets.metric_bar import MetricBar

METRICS: dict[Metric, tuple[str, str, str]] = {  # on the bar, on the chart, unit
    "train_loss": ("train loss", "training loss", ""),
    "val_acc": ("val acc", "validation accuracy", "%"),
    "train_acc": ("train acc", "training accuracy", "%"),
    "val_loss": ("val loss", "validation loss", ""),
    "loss": ("step loss", "loss of the steps", ""),
    "lr": ("lr", "learning rate", ""),
    "images_per_s": ("speed", "speed", "images/s"),
}
_LOGARITHMIC = ("train_loss", "val_loss", "loss", "lr")
_X_AXES = ("epoch", "step", "time")


@dataclass(frozen=True, slots=True)
class Picture:
    """Curves as they are shown, for a file."""

    title: str
    curves: Sequence[Curve]
    view: View

    def save(self, path: Path) -> None:
        """Draw them to a PNG or an SVG; raises UserError or OSError if that can't be."""
        from cnn_core.figures.chart import save_chart  # loads matplotlib

        save_chart(path, self.curves, self.view, self.title)


class ComparedCurves(Vertical):
    """One chart, or two where there is room; a chart is drawn anew only if it changed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._metrics: list[Metric] = ["train_loss", "val_acc"]
        self._drawn: dict[Chart, tuple[Metric, XAxis, list[tuple[int, Path, int]]]] = {}

    def compose(self) -> ComposeResult:
        """Put the metrics above the charts."""
        yield MetricBar({metric: titles[0] for metric, titles in METRICS.items()})
        with Horizontal(id="charts"):
            yield Chart(id="chart-left", classes="pane")
            yield Chart(id="chart-right", classes="pane")

    def show(self, entrants: Sequence[Entrant], state: State) -> None:
        """Show the curves of these runs."""
        charts = list(zip(self.query(Chart), self._metrics, strict=True))
        self.query_one(MetricBar).shown = tuple(metric for chart, metric in charts if chart.display)
        for chart, metric in charts:
            chart.log_y = state.log_y and metric in _LOGARITHMIC
            chart.smoothing = state.smoothing
            extras = ["logarithmic"] if chart.log_y else []
            extras += [f"smoothed {state.smoothing:g}"] if state.smoothing else []
            chart.title = " · ".join([METRICS[metric][1], *extras])
            versions = sorted((one.number, one.run_dir, one.version) for one in entrants)
            wanted, before = (metric, _x_axis(state), versions), self._drawn.get(chart)
            if before != wanted:
                self._drawn[chart] = wanted
                curves, x_label = _curves(entrants, metric, _x_axis(state))
                asked = before is None or before[:2] != wanted[:2]
                chart.show(curves, x_label=x_label, y_label=METRICS[metric][2], now=asked)

    def choose(self, metric: Metric, chart: Chart | None) -> None:
        """Take a metric for the chart; if the other one shows it, they swap."""
        charts = list(self.query(Chart))
        place = charts.index(chart) if chart is not None else 0
        if metric in self._metrics:
            self._metrics[self._metrics.index(metric)] = self._metrics[place]
        self._metrics[place] = metric
        charts[place].reset_zoom()

    def picture(self, chart: Chart, entrants: Sequence[Entrant], state: State) -> Picture:
        """Return what the chart shows, with the runs' names beside their letters."""
        metric = self._metrics[list(self.query(Chart)).index(chart)]
        curves, x_label = _curves(entrants, metric, _x_axis(state))
        names = {one.letter: str((one.document or {}).get("name", "")) for one in entrants}
        view = View(
            x_label=x_label,
            y_label=METRICS[metric][2],
            log_y=chart.log_y,
            smoothing=chart.smoothing,
            x_range=chart.zoom,
        )
        named = [replace(one, label=f"{one.label} {names[one.label]}") for one in curves]
        return Picture(METRICS[metric][1], named, view)


def _x_axis(state: State) -> XAxis:
    return cast(XAxis, state.x_axis) if state.x_axis in _X_AXES else "epoch"


def _curves(entrants: Sequence[Entrant], metric: Metric, x_axis: XAxis) -> tuple[list[Curve], str]:
    """Return a curve for each run, labelled by its letter, and the name of their x."""
    percent = METRICS[metric][2] == "%"
    curves = []
    for one in sorted(entrants, key=lambda one: one.number):
        if one.feed is not None:
            x, y = one.feed.series.points(metric, x_axis)
            curves.append(Curve(one.letter, x, 100 * y if percent else y, one.number))
    if x_axis != "time":
        return curves, x_axis
    longest = max((float(curve.x[-1]) for curve in curves if len(curve.x)), default=0.0)
    unit, seconds = time_unit(longest)
    return [replace(one, x=one.x / seconds) for one in curves], f"time ({unit})"


def time_unit(longest_s: float) -> tuple[str, float]:
    """Return the unit in which times up to this one are easily read, and its seconds."""
    for unit, seconds in (("h", 3600.0), ("min", 60.0)):
        if longest_s >= 3 * seconds:
            return unit, seconds
    return "s", 1.0

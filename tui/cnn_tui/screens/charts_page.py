"""What pages with charts share: the keys that change how curves are shown."""

from collections.abc import Callable
from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType

from cnn_tui.screens.page import Page
from cnn_tui.widgets.chart import Chart

T = TypeVar("T")

X_AXES = ("epoch", "step", "time")
SMOOTHINGS = (0.0, 0.6, 0.9)


class ChartsPage(Page):
    """A page whose charts share the x-axis, the scale and the smoothing, which are remembered.

    Zooming is for one chart: the one with the focus, else the last that had it.
    """

    ALLOW_IN_MAXIMIZED_VIEW = "TitleBar, KeyBar"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "x", "x_axis", "X-axis", id="chart.x_axis", tooltip="Draw over epochs, steps or seconds"
        ),
        Binding(
            "L",
            "log",
            "Log axis",
            id="chart.log",
            tooltip="Show losses and rates on a logarithmic axis",
        ),
        Binding(
            "m", "smooth", "Smooth", id="chart.smooth", tooltip="Smooth the curves: not, 0.6, 0.9"
        ),
        Binding("z", "full", "Full", id="chart.full", tooltip="Let one chart fill the screen"),
        Binding(
            "plus,equals_sign",
            "on_chart('zoom_in')",
            "Zoom in",
            id="chart.zoom_in",
            show=False,
            tooltip="Show less of the x-axis, larger",
        ),
        Binding(
            "minus",
            "on_chart('zoom_out')",
            "Zoom out",
            id="chart.zoom_out",
            show=False,
            tooltip="Show more of the x-axis",
        ),
        Binding(
            "0",
            "on_chart('reset_zoom')",
            "Whole curve",
            id="chart.reset_zoom",
            show=False,
            tooltip="Show the curves from beginning to end",
        ),
        Binding(
            "left",
            "on_chart('pan', -1)",
            "Earlier",
            id="chart.earlier",
            show=False,
            tooltip="Move a zoomed chart to the left",
        ),
        Binding(
            "right",
            "on_chart('pan', 1)",
            "Later",
            id="chart.later",
            show=False,
            tooltip="Move a zoomed chart to the right",
        ),
    ]

    _last_chart: Chart | None = None

    def redraw_charts(self) -> None:
        """Show the curves by the state of the app; to be overridden."""
        raise NotImplementedError

    @property
    def active_chart(self) -> Chart | None:
        """The chart with the focus, else the last that had it, else the first on the screen."""
        charts = [chart for chart in self.query(Chart) if _on_screen(chart)]
        if isinstance(self.focused, Chart):
            self._last_chart = self.focused
        if self._last_chart in charts:
            return self._last_chart
        return charts[0] if charts else None

    def action_x_axis(self) -> None:
        """Take the next x-axis; a zoom of the old one means nothing on it."""
        state = self.cnn_app.state
        state.x_axis = _next(X_AXES, state.x_axis)
        for chart in self.query(Chart):
            chart.reset_zoom()
        self._changed()

    def action_log(self) -> None:
        """Turn the logarithmic axis on or off."""
        self.cnn_app.state.log_y = not self.cnn_app.state.log_y
        self._changed()

    def action_smooth(self) -> None:
        """Take the next smoothing."""
        state = self.cnn_app.state
        state.smoothing = _next(SMOOTHINGS, state.smoothing)
        self._changed()

    def action_on_chart(self, method: str, *arguments: int) -> None:
        """Call a method of the chart in question."""
        chart = self.active_chart
        if chart is not None:
            act: Callable[..., None] = getattr(chart, method)
            act(*arguments)

    def action_full(self) -> None:
        """Let the chart fill the screen, or return to the page."""
        chart = self.active_chart
        if self.maximized is not None:
            self.minimize()
        elif chart is not None:
            self.maximize(chart, container=False)
            chart.focus()

    def action_back(self) -> None:
        """Leave the full screen first."""
        if self.maximized is not None:
            self.minimize()
        else:
            super().action_back()

    def _changed(self) -> None:
        self.cnn_app.save_state()
        self.redraw_charts()


def _next(values: tuple[T, ...], value: T) -> T:
    return values[(values.index(value) + 1) % len(values)] if value in values else values[0]


def _on_screen(chart: Chart) -> bool:
    return all(node.display for node in chart.ancestors_with_self)

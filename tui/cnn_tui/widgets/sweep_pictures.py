"""Four pictures of a sweep, one at a time: metric, parallel coordinates, history, importance."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widgets import Static

from cnn_core.search.sweep_config import Sweep
from cnn_tui.output import literal, sentence
from cnn_tui.sweep_figures import (
    Figure,
    Shown,
    history_figure,
    metric_figure,
    parallel_axes,
)
from cnn_tui.sweep_rows import importance_text
from cnn_tui.sweep_watch import SweepWatch
from cnn_tui.widgets.chart import Chart
from cnn_tui.widgets.pane_tabs import PaneTabs
from cnn_tui.widgets.parallel_view import ParallelView
from cnn_tui.workers import run_beside

if TYPE_CHECKING:
    from cnn_core.search.results import SweepResults

PICTURES = {
    "metric": "Metric",
    "parallel": "Parallel",
    "history": "History",
    "importance": "Importance",
}


class SweepPictures(Vertical):
    """Draws the picture in sight, and that only when what it shows has changed."""

    DEFAULT_CSS = """
    SweepPictures #pictures { height: 1fr; }
    SweepPictures #pictures > * { display: none; height: 1fr; }
    SweepPictures #pictures > .-shown { display: block; }
    SweepPictures #importance { padding: 1 2; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.shown = "metric"
        self._drawn: dict[str, object] = {}
        self._shares: Mapping[str, float] | None = None
        self._reckoned_for: int | None = None  # finished trials
        self._reckoning = False

    def compose(self) -> ComposeResult:
        """Put the pictures below their names."""
        yield PaneTabs(PICTURES)
        with Container(id="pictures"):
            yield Chart(id="metric", classes="pane")
            yield ParallelView(id="parallel", classes="pane")
            yield Chart(id="history", classes="pane")
            yield Static(id="importance", classes="pane")

    def on_mount(self) -> None:
        """Begin with the first."""
        self.choose(self.shown)

    def choose(self, picture: str) -> None:
        """Let a picture be in sight; it is to be shown anew."""
        self.shown = picture
        self.query_one(PaneTabs).shown = picture
        for name in PICTURES:
            self.query_one(f"#{name}").set_class(name == picture, "-shown")

    def show(self, watch: SweepWatch, key: str, shown: Shown) -> None:
        """Show the sweep: the metric over the parameter ``key``, what of it by ``shown``."""
        if watch.folder is None or watch.results is None:
            return
        sweep, results = watch.folder.sweep, watch.results
        wanted = (results, key, shown) if self.shown == "metric" else results
        if self.shown == "importance":
            self._show_importance(watch)
        elif self._drawn.get(self.shown) != wanted:
            asked = self.shown == "metric" and _asked(self._drawn.get("metric"), wanted)
            self._drawn[self.shown] = wanted
            if self.shown == "parallel":
                self.query_one("#parallel", ParallelView).show(*parallel_axes(sweep, results))
            else:
                self._show_figure(self.figure(sweep, results, key, shown), now=asked)

    def figure(self, sweep: Sweep, results: "SweepResults", key: str, shown: Shown) -> Figure:
        """Return the curves in sight; the metric's where they are no curves."""
        if self.shown == "history":
            return history_figure(sweep, results)
        return metric_figure(sweep, results, key, shown)

    def _show_figure(self, figure: Figure, *, now: bool) -> None:
        chart = self.query_one(f"#{self.shown}", Chart)
        view = figure.view
        if now:
            chart.reset_zoom()
        chart.title = figure.title
        chart.show(
            figure.curves,
            x_label=view.x_label if self.shown == "history" else "",  # it is in the title
            y_label=view.y_label,
            log_x=view.log_x,
            x_names=view.x_names,
            now=now,
        )

    def _show_importance(self, watch: SweepWatch) -> None:
        """Show the shares; reckon them anew, in a thread, where more trials have finished.

        While it trains, that waits for a tenth more of them: it takes seconds for hundreds.
        """
        assert watch.results is not None
        finished = watch.results.counts().get("finished", 0)
        known = self._reckoned_for
        grown = known is None or finished >= 1.1 * known or not watch.training
        if finished != known and grown and not self._reckoning:
            self._reckoning = True
            run_beside(self, partial(self._reckon, watch, finished))
        self.redraw_importance()

    async def _reckon(self, watch: SweepWatch, finished: int) -> None:
        said = self.query_one("#importance", Static)
        try:
            self._shares = await asyncio.to_thread(watch.importance)
            self._reckoned_for = finished
            self.redraw_importance()
        except Exception as error:  # noqa: BLE001  (of Optuna or scikit-learn: told in its place)
            self._reckoned_for = finished
            said.update(literal(sentence(error)))
        finally:
            self._reckoning = False

    def redraw_importance(self) -> None:
        """Show the shares that are known, in the room there is."""
        said = self.query_one("#importance", Static)
        said.border_title = "share of the metric's variance that each parameter explains (fANOVA)"
        if self._reckoned_for is None:
            said.update("reckoning…")
        elif self._shares is None:
            said.update("needs four finished trials that are not all alike")
        else:
            width = said.content_size.width or self.size.width - 8
            colours = self.app.theme_variables
            said.update(importance_text(self._shares, width, colours))


def _asked(before: object, wanted: object) -> bool:
    """Return whether another parameter or figure was asked for, not only more trials."""
    return isinstance(before, tuple) and isinstance(wanted, tuple) and before[1:] != wanted[1:]

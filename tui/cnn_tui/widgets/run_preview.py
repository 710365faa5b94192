"""The run under the cursor in brief: what came of it, and its curves."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.timer import Timer
from textual.widgets import Static

from cnn_core.runs.follower import EventFollower
from cnn_core.runs.index import Row
from cnn_core.runs.series import RunSeries
from cnn_tui.charts.plot import Curve
from cnn_tui.output import literal
from cnn_tui.run_facts import changed_settings, lines, result_facts, settings_text
from cnn_tui.widgets.chart import Chart

_PAUSE_S = 0.15  # a key held down passes runs faster than they are read


@dataclass(slots=True)
class _Followed:
    """A run's curves, and how far its events were read."""

    run_dir: Path
    follower: EventFollower
    series: RunSeries
    restarts: int = 0

    def poll(self) -> RunSeries:
        timed = self.follower.poll()
        if self.follower.restarts != self.restarts:
            self.restarts, self.series = self.follower.restarts, RunSeries()
        for moment, event in timed:
            self.series.fold(moment, event)
        return self.series


class RunPreview(Vertical):
    """Shows a run a moment after the cursor came to rest on it; reads it in a thread."""

    def __init__(self) -> None:
        super().__init__()
        self._wanted: tuple[Row, Path] | None = None
        self._timer: Timer | None = None
        self._followed: _Followed | None = None
        self._shown: tuple[Row, int] | None = None

    def compose(self) -> ComposeResult:
        """Put what came of the run above its curves, or beside them."""
        yield Static("", id="preview-name")
        with VerticalScroll(id="preview-facts"):
            yield Static("", id="preview-text")
        with Horizontal(id="preview-charts"):
            yield Chart(id="preview-loss")
            yield Chart(id="preview-accuracy")

    def on_mount(self) -> None:
        """Leave tab to what can be scrolled."""
        for chart in self.query(Chart):
            chart.can_focus = False

    def show(self, row: Row | None, run_dir: Path | None) -> None:
        """Show this run soon; None shows nothing. A preview that is hidden reads nothing."""
        self._wanted = (row, run_dir) if row is not None and run_dir is not None else None
        if not self.display:
            return
        if self._timer is not None:
            self._timer.stop()
        same = self._followed is not None and run_dir == self._followed.run_dir
        self._timer = self.set_timer(0.001 if same else _PAUSE_S, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self.run_worker(self._load(), exclusive=True, group="preview", exit_on_error=False)

    async def _load(self) -> None:
        wanted = self._wanted
        if wanted is None:
            self._draw_nothing()
            return
        row, run_dir = wanted
        followed = self._followed
        if followed is None or followed.run_dir != run_dir:
            followed = _Followed(run_dir, EventFollower(run_dir), RunSeries())

        def read() -> tuple[RunSeries, Text]:
            return followed.poll(), settings_text(*changed_settings(row))

        try:
            series, settings = await asyncio.to_thread(read)
        except OSError as error:  # gone meanwhile
            series, settings = RunSeries(), literal(error.strerror)
        if self._wanted is None or self._wanted[1] != run_dir:
            return
        self._followed = followed
        self._draw(row, run_dir, series, settings)

    def _draw_nothing(self) -> None:
        self._followed = self._shown = None
        self.query_one("#preview-name", Static).update("")
        self.query_one("#preview-text", Static).update("")
        for chart in self.query(Chart):
            chart.show(())

    def _draw(self, row: Row, run_dir: Path, series: RunSeries, settings: Text) -> None:
        before, self._shown = self._shown, (row, series.version)
        another = before is None or before[0]["id"] != row["id"]
        if before is None or before[0] is not row:
            self.query_one("#preview-name", Static).update(literal(row["name"]))
            facts = [*result_facts(row, run_dir), ("settings", settings)]
            if row["tags"]:
                facts.append(("tags", literal(", ".join(map(str, row["tags"])))))
            if row["notes"]:
                facts.append(("notes", lines(str(row["notes"]).strip())))
            facts.append(("id", literal(row["id"])))
            self.query_one("#preview-text", Static).update(_table(facts))
            if another:
                self.query_one("#preview-facts").scroll_home(animate=False)
        if another or (before is not None and before[1] != series.version):
            self._draw_curves(series, now=another)

    def _draw_curves(self, series: RunSeries, *, now: bool) -> None:
        marks = [(series.best_epoch, "best")] if series.best_epoch else []
        loss = [
            Curve("train", *series.points("train_loss", "epoch"), 0),
            Curve("validation", *series.points("val_loss", "epoch"), 1),
        ]
        if len(loss[0].x) < 2:  # until epochs make a curve, the steps do
            loss.append(Curve("steps", *series.points("loss", "epoch"), 0, faded=True))
        accuracy = [
            Curve("train", *series.points("train_acc", "epoch"), 0),
            Curve("validation", *series.points("val_acc", "epoch"), 1),
        ]
        for name, curves in (("loss", loss), ("accuracy", accuracy)):
            chart = self.query_one(f"#preview-{name}", Chart)
            chart.show(curves, x_label="epoch", y_label=name, marks=marks, now=now)
            if now:
                chart.reset_zoom()


def _table(facts: list[tuple[str, Text]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(Text(name), value)
    return table

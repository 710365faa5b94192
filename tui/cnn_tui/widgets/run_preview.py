"""The run under the cursor in brief: what came of it, and its curves.

What draws curves is loaded with the first of them, not before the first screen.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.timer import Timer
from textual.widgets import Static

from cnn_core.runs.changed import changed_settings
from cnn_core.runs.follower import EventFollower
from cnn_core.runs.index import Row
from cnn_tui.output import literal, literal_lines
from cnn_tui.run_choice import tags_of
from cnn_tui.run_facts import result_facts, settings_text

if TYPE_CHECKING:
    from cnn_core.runs.series import RunSeries

_PAUSE_S = 0.15  # a key held down passes runs faster than they are read
_PATIENCE_S = 0.05


class _Followed:
    """A run's curves, kept up to date; ``poll`` reads files, so call it off the event loop."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self._follower = EventFollower(run_dir)
        self._restarts = 0
        self._series: RunSeries | None = None

    def poll(self) -> "RunSeries":
        from cnn_core.runs.series import RunSeries

        timed = self._follower.poll()
        if self._series is None or self._follower.restarts != self._restarts:
            self._restarts, self._series = self._follower.restarts, RunSeries()
        for moment, event in timed:
            self._series.fold(moment, event)
        return self._series


def _read(followed: _Followed, row: Row) -> tuple["RunSeries", Text]:
    from cnn_tui.widgets import chart  # noqa: F401  (here, off the event loop)

    return followed.poll(), settings_text(*changed_settings(row))


class RunPreview(Vertical):
    """Shows a run a moment after the cursor came to rest on it; reads it in a thread."""

    def __init__(self) -> None:
        super().__init__()
        self._wanted: tuple[Row, Path] | None = None
        self._loaded: tuple[Row, Path] | None = None
        self._timer: Timer | None = None
        self._followed: _Followed | None = None
        self._told: list[tuple[str, Text]] = []
        self._drawn: tuple[str, int] | None = None

    def compose(self) -> ComposeResult:
        """Put what came of the run above its curves, or beside them."""
        yield Static("", id="preview-name")
        with VerticalScroll(id="preview-facts"):
            yield Static("", id="preview-text")
        yield Horizontal(id="preview-charts")

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
        if all(worker.is_finished for worker in self.workers if worker.node is self):
            self._load()

    @work(exit_on_error=False)
    async def _load(self) -> None:
        """Read and draw what is wanted, until that is what is shown."""
        while self._wanted is not self._loaded:
            self._loaded = self._wanted
            if self._loaded is None:
                self._draw_nothing()
                continue
            row, run_dir = self._loaded
            if self._followed is None or self._followed.run_dir != run_dir:
                self._followed = _Followed(run_dir)
            reading = asyncio.create_task(asyncio.to_thread(_read, self._followed, row))
            # The first reading also loads what draws: no reason to wait with what is known.
            if not (await asyncio.wait({reading}, timeout=_PATIENCE_S))[0]:
                self._tell(row, run_dir, Text("…"))
            try:
                series, settings = await reading
            except OSError:  # gone meanwhile, as the table will tell
                continue
            if self._wanted is self._loaded:
                self._tell(row, run_dir, settings)
                await self._draw_curves(row["id"], series)

    def _draw_nothing(self) -> None:
        self._followed = self._drawn = None
        self._told = []
        self.query_one("#preview-name", Static).update("")
        self.query_one("#preview-text", Static).update("")
        self.query_one("#preview-charts").display = False

    def _tell(self, row: Row, run_dir: Path, settings: Text) -> None:
        facts = [*result_facts(row, run_dir), ("settings", settings)]
        if tags := tags_of(row):
            facts.append(("tags", literal(", ".join(tags))))
        if row["notes"]:
            facts.append(("notes", literal_lines(str(row["notes"]).strip())))
        facts.append(("id", literal(row["id"])))
        if facts == self._told:
            return
        if not self._told or self._told[-1] != facts[-1]:
            self.query_one("#preview-facts").scroll_home(animate=False)
        self._told = facts
        self.query_one("#preview-name", Static).update(literal(row["name"]))
        self.query_one("#preview-text", Static).update(_table(facts))

    async def _draw_curves(self, run_id: str, series: "RunSeries") -> None:
        before, self._drawn = self._drawn, (run_id, series.version)
        if self._drawn == before:
            return
        another = before is None or before[0] != run_id
        from cnn_tui.charts.plot import Curve
        from cnn_tui.widgets.chart import Chart

        charts = self.query_one("#preview-charts")
        charts.display = True
        if not charts.children:
            await charts.mount(Chart(id="preview-loss"), Chart(id="preview-accuracy"))
            for chart in charts.query(Chart):
                chart.can_focus = False  # tab is for what scrolls
        marks = [(series.best_epoch, "best")] if series.best_epoch else []
        loss = [
            Curve("train", *series.points("train_loss", "epoch"), 0),
            Curve("validation", *series.points("val_loss", "epoch"), 1),
        ]
        steps = Curve("steps", *series.points("loss", "epoch"), 0, faded=True)
        if len(loss[0].x) < 2 <= len(steps.x):  # until epochs make a curve, the steps do
            loss.append(steps)
        accuracy = [
            Curve("train", *series.points("train_acc", "epoch"), 0),
            Curve("validation", *series.points("val_acc", "epoch"), 1),
        ]
        for name, curves in (("loss", loss), ("accuracy", accuracy)):
            chart = self.query_one(f"#preview-{name}", Chart)
            chart.show(curves, x_label="epoch", y_label=name, marks=marks, now=another)
            if another:
                chart.reset_zoom()


def _table(facts: list[tuple[str, Text]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(Text(name), value)
    return table

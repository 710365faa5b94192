"""Runs side by side: their curves over each other, what differs between them, what came of it."""

import asyncio
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import DataTable, Static

from cnn_core.figures.palette import COLOURS
from cnn_core.runs.series import Metric
from cnn_tui.lineup import Entrant, Lineup
from cnn_tui.lineup_tables import SORTABLE, Looks, run_table, setting_table, summary_table
from cnn_tui.output import literal
from cnn_tui.screens.charts_page import ChartsPage
from cnn_tui.screens.export_comparison import export_comparison
from cnn_tui.screens.following import FollowingPage
from cnn_tui.screens.pick_run import PickRun
from cnn_tui.widgets.compared_curves import METRICS, ComparedCurves
from cnn_tui.widgets.list_table import ListTable
from cnn_tui.widgets.title_bar import TitleBar
from cnn_tui.workers import run_beside

_VIEWS = ("curves", "settings", "summary")


class ComparePage(ChartsPage, FollowingPage):
    """Two runs or more; each is followed once a second, whether it is trained now or ended."""

    CSS_PATH = "compare.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide"), (170, "-huge")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall")]  # noqa: RUF012
    HELP_TEXT = """\
Every run has a letter, a colour and a marker, the same in the curves and in the tables. `space`
hides a run and shows it again; `a` adds one, `d` takes one out (the run itself stays).

`1` to `7` choose the curves of the chart that has the focus; `x` changes the x-axis, `L` the scale,
`m` the smoothing; the wheel zooms, dragging pans, `z` lets one chart fill the screen.

The table of settings holds only what differs (`h`: all of them). `*` marks the best results.
Headers sort by a click, `s` by key; `b` shows accuracies as differences from the run under the
cursor, in percentage points. The summary has the best run of each data set and backbone: the one
with the highest validation accuracy, and *its* test accuracy.

`w` writes the table (CSV, Markdown, LaTeX) or the picture (PNG, SVG) to a file.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_run", "Hide", id="compare.toggle", tooltip="Hide or show the run"),
        Binding("a", "add", "Add", id="compare.add", tooltip="Add a run to the comparison"),
        Binding(
            "d",
            "remove",
            "Remove",
            id="compare.remove",
            show=False,
            tooltip="Take the run out of the comparison; the run itself stays",
        ),
        Binding(
            "v", "view", "View", id="compare.view", tooltip="Go from curves to settings to summary"
        ),
        Binding(
            "h", "settings", "All settings", id="compare.settings", tooltip="Also equal settings"
        ),
        Binding("s", "sort", "Sort", id="compare.sort", tooltip="Sort by the next result"),
        Binding(
            "b",
            "baseline",
            "Baseline",
            id="compare.baseline",
            tooltip="Accuracies as differences from this run",
        ),
        Binding("w", "write", "Write", id="compare.write", tooltip="Write table or picture"),
        *(
            Binding(
                str(key),
                f"metric('{metric}')",
                title[1].capitalize(),
                id=f"compare.{metric}",
                show=False,
                tooltip=f"Show {title[1]} in the chart",
            )
            for key, (metric, title) in enumerate(METRICS.items(), 1)
        ),
    ]

    def __init__(self, run_dirs: list[Path]) -> None:
        super().__init__()
        self._lineup = Lineup()
        for run_dir in run_dirs:
            self._lineup.add(run_dir)
        self._baseline: Entrant | None = None
        self._all_settings = False
        self._view = 0
        self._stale = True
        self._noted: list[str] | None = None

    def compose_page(self) -> Iterable[Widget]:
        """Put the runs above their curves, and these above the tables."""
        yield ListTable(id="runs")
        yield Static("reading…", id="note", classes="-said")
        yield ComparedCurves(id="curves")
        with Horizontal(id="tables"):
            yield ListTable(id="settings", classes="pane")
            yield ListTable(id="summary", classes="pane")

    async def on_mount(self) -> None:
        """Read the runs, and follow them."""
        self.query_one(TitleBar).page = "Compare"
        runs = self.query_one("#runs", ListTable)
        runs.focus()
        settings = self.query_one("#settings", ListTable)
        settings.fixed_columns = 1
        self.query_one("#summary").border_title = "Best runs"
        self.app.theme_changed_signal.subscribe(self, lambda _: self._show())
        self.follow()

    def on_resize(self) -> None:
        """Show as many columns as fit."""
        self._show()

    # --- reading and showing --------------------------------------------------------------------

    async def look(self) -> None:
        """Take in what the runs have written."""
        try:
            changed = await asyncio.to_thread(self._lineup.poll)
        finally:
            self.looking = False
        if changed or self._stale:
            self._show()

    def _show(self) -> None:
        """Show what is known; not while a thread reads, which is followed by this anyway."""
        self._stale = self.looking or not self.is_mounted
        if self._stale:
            return
        looks = Looks(self.app.theme_variables, self.app.current_theme.dark)
        compared = self._lineup.compared()
        runs = self.query_one("#runs", ListTable)
        runs.show(*run_table(self._lineup, self._baseline, looks, self.size.width - 2))
        self._show_note()
        settings = self.query_one("#settings", ListTable)
        columns, rows = setting_table(compared, looks, all_settings=self._all_settings)
        settings.show(columns, rows)
        settings.border_title = "All settings" if self._all_settings else "Settings that differ"
        settings.border_subtitle = "" if rows else "none differs"
        self.query_one("#summary", ListTable).show(*summary_table(compared))
        self.redraw_charts()

    def _show_note(self) -> None:
        entrants = self._lineup.entrants
        lines = [f"{one.letter}: {one.error}" for one in entrants if one.error]
        if sum(one.shown for one in entrants) > COLOURS:
            lines.append(
                f"more than {COLOURS} runs share colours, with other markers; space hides a run"
            )
        note = self.query_one("#note", Static)
        note.set_class(bool(lines), "-said")
        if self._noted != lines:
            self._noted = lines
            note.update(literal("; ".join(lines)))

    def redraw_charts(self) -> None:
        """Show the curves of the runs that are not hidden."""
        if self.looking:
            self._stale = True
        else:
            curves = self.query_one(ComparedCurves)
            curves.show(self._lineup.compared(), self.cnn_app.state)

    # --- what one can do ------------------------------------------------------------------------

    @property
    def _current(self) -> Entrant | None:
        return self._lineup.find(self.query_one("#runs", ListTable).key)

    def action_metric(self, metric: Metric) -> None:
        """Show the metric in the active chart."""
        self.query_one(ComparedCurves).choose(metric, self.active_chart)
        self.redraw_charts()

    def action_toggle_run(self) -> None:
        """Hide the run, or show it again."""
        if (current := self._current) is not None:
            current.shown = not current.shown
            self._show()

    @on(ListTable.Clicked, "#runs")
    def _clicked(self, event: ListTable.Clicked) -> None:
        if event.column in ("on", "letter"):
            self.action_toggle_run()

    @on(ListTable.Opened, "#runs")
    def _opened(self) -> None:
        if (current := self._current) is not None:
            self.cnn_app.open_run(current.run_dir)

    @on(DataTable.HeaderSelected, "#runs")
    def _header(self, event: DataTable.HeaderSelected) -> None:
        key = str(event.column_key.value)
        self._lineup.sort_by("letter" if key == "on" else key)
        self._show()

    def action_sort(self) -> None:
        """Sort by the next of the columns."""
        key = self._lineup.sort_key
        place = SORTABLE.index(key) + 1 if key in SORTABLE else 0
        self._lineup.sort_by(SORTABLE[place % len(SORTABLE)])
        self._show()

    def action_baseline(self) -> None:
        """Show differences from this run, or accuracies again."""
        self._baseline = None if self._baseline is self._current else self._current
        self._show()

    def action_settings(self) -> None:
        """Show all settings, or those that differ."""
        self._all_settings = not self._all_settings
        self._show()
        if self.has_class("-short"):
            self._set_view(1)

    def action_view(self) -> None:
        """Show the next view; where there is room, the curves stay."""
        first = 1 if self.has_class("-tall") else 0
        self._set_view(max(self._view, first) + 1)

    def _set_view(self, view: int) -> None:
        first = 1 if self.has_class("-tall") else 0
        self._view = view if view < len(_VIEWS) else first
        for index, name in enumerate(_VIEWS):
            self.set_class(index == self._view, f"-view-{name}")

    def action_add(self) -> None:
        """Pick a run that is not here yet."""
        here = {one.run_dir.name for one in self._lineup.entrants}

        def add(run_dir: Path | None) -> None:
            if run_dir is not None and self._lineup.add(run_dir):
                self.look_now()

        runs_dir = self.cnn_app.workplace.runs_dir
        self.app.push_screen(PickRun("Add a run to the comparison", runs_dir, without=here), add)

    def action_remove(self) -> None:
        """Take the run out."""
        current = self._current
        if current is None:
            return
        if len(self._lineup.entrants) == 1:
            self.tell("the last run stays; escape leaves the comparison")
            return
        self._lineup.entrants.remove(current)
        if self._baseline is current:
            self._baseline = None
        self._show()

    def action_write(self) -> None:
        """Ask what to write, and where."""
        compared, chart = self._lineup.compared(), self.active_chart
        if not compared or self.looking:
            self.tell("nothing to write yet")
            return
        curves = self.query_one(ComparedCurves)
        picture = curves.picture(chart, compared, self.cnn_app.state) if chart else None
        run_beside(self, partial(export_comparison, self, compared, picture))

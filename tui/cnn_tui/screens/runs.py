"""The first page: all runs of the folder, live."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.widget import Widget
from textual.widgets import Input, Static

from cnn_core.errors import UserError
from cnn_core.runs.index import Row
from cnn_core.runs.watcher import Changes, RunsWatcher
from cnn_tui.run_choice import choose_rows, sorted_by
from cnn_tui.screens.catalog import PAGES
from cnn_tui.screens.run_actions import RunActions
from cnn_tui.widgets.filter_line import FilterLine
from cnn_tui.widgets.run_preview import RunPreview
from cnn_tui.widgets.runs_status import RunsStatus, welcome
from cnn_tui.widgets.runs_table import RunsTable
from cnn_tui.widgets.title_bar import TitleBar

_NEWEST_FIRST = "-created"
_PREVIEW = "runs.preview"
_WIDE = 110


class RunsPage(RunActions):
    """The table of runs, which of them are shown, and the preview of one."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (_WIDE, "-wide")]  # noqa: RUF012 (as Screen has it)
    HELP_TEXT = """\
Every training is a **run**, kept in a folder of its own. This list follows them all, whoever
trains them: this app, a shell, another machine.

- `n` sets up a new experiment; `e` begins one from the run under the cursor.
- `enter` shows a run with its curves; `space` selects runs, `c` compares them.
- `/` filters. Plain words are looked for in names, tags, data sets, backbones and statuses.
  Comparisons work as in `cnn-tui runs --filter`: `best.val_acc > 0.8 and "alexnet" in name`,
  `optim.lr < 0.1`. `escape` shows all again.
- `s` sorts, or a click on the head of a column; a second click turns the order round.
- `v` shows or hides the preview, which tells what differs from the run's preset.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Select", id="runs.select", tooltip="Select or deselect the run"),
        Binding("slash", "filter", "Filter", id="runs.filter", tooltip="Choose which runs to show"),
        Binding("s", "sort", "Sort", id="runs.sort", tooltip="Choose the order of the runs"),
        Binding("v", "preview", "Preview", id="runs.preview", tooltip="Show or hide the preview"),
        *(
            Binding(
                opener.key,
                f"show_page('{name}')",
                opener.title,
                id=f"runs.show_{name}",
                tooltip=opener.tooltip,
            )
            for name, opener in PAGES.items()
        ),
        Binding(
            "a",
            "mark_all",
            "Select all",
            show=False,
            id="runs.select_all",
            tooltip="Select all runs shown, or none",
        ),
        Binding(
            "escape", "show_all", "Show all", show=False, id="runs.all", tooltip="Drop the filter"
        ),
        Binding(
            "ctrl+r",
            "refresh",
            "Refresh",
            show=False,
            id="runs.refresh",
            tooltip="Read the folder now",
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Row] = []
        self._places: Mapping[str, int] = {}
        self._looked = False
        self._trouble = ""  # of the folder
        self._mistake = ""  # of filter or order

    def compose_page(self) -> Iterable[Widget]:
        """Put the table beside the preview, or above it."""
        yield RunsStatus()
        yield FilterLine()
        with Container(id="runs-body"):
            with Vertical(id="runs-list"):
                yield Static("", id="runs-empty")
                yield RunsTable()
            yield RunPreview()

    def on_mount(self) -> None:
        """Paint first, then look at the files."""
        self.query_one(TitleBar).page = "Runs"
        self._watcher = RunsWatcher(self.cnn_app.workplace.runs_dir)
        self._table = self.query_one(RunsTable)
        self._preview = self.query_one(RunPreview)
        self.query_one("#runs-empty").display = False
        self._table.focus()
        self.call_after_refresh(self.follow)

    def on_resize(self) -> None:
        """Show the preview where there is room for it, unless it was hidden."""
        hidden = _PREVIEW in self.cnn_app.state.hidden_panes
        self._show_preview(self.size.width >= _WIDE and not hidden)

    # --- following the folder --------------------------------------------------------------------

    def action_refresh(self) -> None:
        """Read what changed now."""
        self.look_now()

    async def look(self) -> None:
        """Take in what changed in the folder and in the queue."""

        def read() -> tuple[Changes, list[Row], dict[str, int]]:
            changes = self._watcher.poll()
            places = {run_id: i for i, run_id in enumerate(self.cnn_app.slot.queue.ids(), 1)}
            return changes, self._watcher.rows, places

        try:
            changes, rows, places = await asyncio.to_thread(read)
        except (UserError, OSError) as error:
            self._trouble = str(error)
            self._tell_status()
            return
        finally:
            self.looking = False
        if not self._looked:
            self.call_after_refresh(self.cnn_app.load_torch)  # while the rows are looked at
        changed = bool(changes.changed or changes.gone)
        if changed or places != self._places or not self._looked or self._trouble:
            waiting = [row for row in rows if row["id"] in places]
            self._table.measure([*changes.changed, *waiting], places)
            self._rows, self._places, self._looked, self._trouble = rows, places, True, ""
            self._table.marked &= {row["id"] for row in rows}
            self._show_rows()
        else:
            self._table.tick()

    def _show_rows(self) -> None:
        """Show the rows as filter and sort say; a mistake in those hides no run."""
        state = self.cnn_app.state
        line = self.query_one(FilterLine)
        self._mistake = self._mistake if line.display else ""
        try:
            rows = choose_rows(self._rows, state.filter, state.sort)
        except UserError as error:
            self._mistake = str(error)
            rows = choose_rows(self._rows, "", _NEWEST_FIRST)
        self._show(rows)

    def _show(self, rows: list[Row]) -> None:
        had = self._table.current is not None
        self._table.show(rows, sort=self.cnn_app.state.sort, places=self._places)
        self._table.display = bool(rows)
        empty = self.query_one("#runs-empty", Static)
        empty.display = not rows
        if not rows:
            folder = self.cnn_app.workplace.runs_dir
            empty.update("no run is like that" if self._rows else welcome(folder))
        if had != bool(rows):
            if rows and self.focused is None:  # an empty table gave the focus away
                self._table.focus()
            self.refresh_bindings()
        self._tell_status()

    def _tell_status(self) -> None:
        status, table = self.query_one(RunsStatus), self._table
        if wrong := self._mistake or self._trouble:
            status.tell_mistake(wrong)
        elif self._looked:
            state, marked = self.cnn_app.state, len(table.marked)
            seen = sum(row["id"] in table.marked for row in table.rows) if marked else 0
            status.tell(
                shown=len(table.rows),
                total=len(self._rows),
                wanted=state.filter,
                sort=state.sort,
                marked=marked,
                hidden=marked - seen,
            )

    # --- which runs, in which order --------------------------------------------------------------

    def action_filter(self) -> None:
        """Write which runs to show."""
        self.query_one(FilterLine).open(self.cnn_app.state.filter)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while one types; what is wrong is told, and the rows stay."""
        event.stop()
        state = self.cnn_app.state
        try:
            rows = choose_rows(self._rows, event.value, state.sort)
        except UserError as error:
            self._mistake = str(error)
            self._tell_status()
            return
        state.filter, self._mistake = event.value.strip(), ""
        self._show(rows)

    def on_filter_line_closed(self) -> None:
        """Go back to the runs."""
        self._mistake = ""
        self._tell_status()
        self._table.focus()
        self.cnn_app.save_state()

    def action_show_all(self) -> None:
        """Show all runs again."""
        self.cnn_app.state.filter = ""
        self._show_rows()
        self.cnn_app.save_state()

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_sort(self) -> None:
        """Choose the order."""
        from cnn_tui.screens.runs_dialogs import SortRuns

        sort = self.cnn_app.state.sort
        chosen = await self.app.push_screen_wait(
            SortRuns(sort, lambda keys: choose_rows(self._rows, "", keys))
        )
        if chosen is not None:
            self._sort_by(chosen)

    def on_runs_table_header_clicked(self, event: RunsTable.HeaderClicked) -> None:
        """Sort by the column."""
        self._sort_by(sorted_by(self.cnn_app.state.sort, event.key))

    def _sort_by(self, keys: str) -> None:
        self.cnn_app.state.sort = keys
        self._show_rows()
        self.cnn_app.save_state()

    # --- selecting, looking ----------------------------------------------------------------------

    def current(self) -> Row | None:
        """Return the run under the cursor."""
        return self._table.current if self._looked else None

    def selected(self) -> list[Row]:
        """Return the selected runs in the order of the table, those not shown after them."""
        marked = self._table.marked
        by_id = {row["id"]: row for row in [*self._table.rows, *self._rows] if row["id"] in marked}
        return list(by_id.values())

    def action_mark(self) -> None:
        """Select the run, and go on to the next one."""
        if row := self.current():
            self._table.toggle_mark(row["id"])
            self._table.cursor += 1

    def action_mark_all(self) -> None:
        """Select all runs shown; none if they are."""
        shown = {row["id"] for row in self._table.rows}
        self._table.mark(set() if shown <= self._table.marked else self._table.marked | shown)

    def on_runs_table_marked(self) -> None:
        """Count them."""
        self._tell_status()

    def on_runs_table_opened(self) -> None:
        """Open by a double click."""
        self.action_open()

    def on_runs_table_highlighted(self, event: RunsTable.Highlighted) -> None:
        """Show the run beside the table."""
        row = event.row
        self._preview.show(row, self._folder(row) if row else None)

    def action_preview(self) -> None:
        """Show or hide the preview; where there is room for it, that is remembered."""
        shown = not self._preview.display
        if self.size.width >= _WIDE:
            hidden = [pane for pane in self.cnn_app.state.hidden_panes if pane != _PREVIEW]
            self.cnn_app.state.hidden_panes = hidden if shown else [*hidden, _PREVIEW]
            self.cnn_app.save_state()
        self._show_preview(shown)

    def _show_preview(self, shown: bool) -> None:
        self._preview.display = shown
        row = self.current()
        self._preview.show(row, self._folder(row) if row else None)

    def action_show_page(self, name: str) -> None:
        """Open a page of the catalog."""
        self.cnn_app.open_page(name)

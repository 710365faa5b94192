"""What one can do with the trials of a sweep: sort, select, open and compare them."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from cnn_tui.screens.pick import Entry, Pick
from cnn_tui.screens.sweep_actions import SweepActions
from cnn_tui.sweep_rows import sort_keys
from cnn_tui.sweep_watch import SweepWatch
from cnn_tui.widgets.list_table import ListTable

if TYPE_CHECKING:
    from cnn_core.search.results import TrialRow


class TrialActions(SweepActions):
    """The actions over a table ``#trials``; the page reads ``sweep_watch`` and shows it."""

    sweep_watch: SweepWatch

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", id="trials.open", tooltip="Show the trial's run"),
        Binding("space", "mark", "Select", id="trials.select", tooltip="Select the trial"),
        Binding("c", "compare", "Compare", id="trials.compare", tooltip="Selected runs compared"),
        Binding("s", "sort", "Sort", id="trials.sort", tooltip="Choose the order of the trials"),
    ]

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name_of_sweep = name
        self.sort = "number"
        self.marked: set[int] = set()

    @property
    def table(self) -> ListTable:
        """The table of trials."""
        return self.query_one("#trials", ListTable)

    def show(self) -> None:
        """Show what was read; to be overridden."""
        raise NotImplementedError

    def current(self) -> "TrialRow | None":
        """Return the trial under the cursor."""
        key = self.table.key
        trials = self.sweep_watch.results.trials if self.sweep_watch.results is not None else ()
        return next((trial for trial in trials if str(trial.number) == key), None)

    def _run_dir(self, trial: "TrialRow") -> Path | None:
        if trial.run is None or trial.row is None:
            return None
        return self.cnn_app.workplace.runs_dir / trial.run

    def action_open(self) -> None:
        """Show the run of the trial."""
        if (trial := self.current()) is None:
            return
        if (run_dir := self._run_dir(trial)) is None:
            gone = "its run is gone" if trial.run else "it has no run yet"
            self.tell(f"trial {trial.number}: {gone}")
        else:
            self.cnn_app.open_run(run_dir)

    @on(ListTable.Opened, "#trials")
    def _opened(self) -> None:
        self.action_open()

    def action_mark(self) -> None:
        """Select the trial, or no more, and go on to the next one."""
        if (trial := self.current()) is not None:
            self.marked ^= {trial.number}
            self.show()
            self.table.action_cursor_down()

    @on(ListTable.Clicked, "#trials")
    def _clicked(self, event: ListTable.Clicked) -> None:
        if event.column == "mark":
            self.marked ^= {int(event.key)}
            self.show()

    def action_compare(self) -> None:
        """Show the runs of the selected trials side by side."""
        results = self.sweep_watch.results
        trials = (
            [trial for trial in results.trials if trial.number in self.marked] if results else []
        )
        folders = [run_dir for trial in trials if (run_dir := self._run_dir(trial))]
        if len(folders) < 2:
            self.tell("Select two trials or more with space, then compare their runs")
        else:
            self.cnn_app.compare(folders)

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_sort(self) -> None:
        """Choose the order."""
        if self.sweep_watch.folder is None:
            return
        titles = sort_keys(self.sweep_watch.folder.sweep)
        turned = {"▲": self.sort, "▼": self.sort.removeprefix("-")}
        now = "▼" if self.sort.startswith("-") else "▲"
        entries = [
            Entry(
                key, f"{title if title != key else ''} {now if key == turned[now] else ''}".strip()
            )
            for key, title in titles.items()
        ]
        chosen = await self.app.push_screen_wait(
            Pick("Sort the trials by", entries, current=self.sort.removeprefix("-"))
        )
        if chosen is not None:
            self._sort_by(chosen)

    @on(DataTable.HeaderSelected, "#trials")
    def _header(self, event: DataTable.HeaderSelected) -> None:
        key = str(event.column_key.value)
        if key != "mark":
            self._sort_by(key)

    def _sort_by(self, key: str) -> None:
        """Sort by a key: the largest values of the metric first, a second time the other way."""
        first = f"-{key}" if key == "value" else key
        other = key if key == "value" else f"-{key}"
        self.sort = other if self.sort == first else first
        self.show()

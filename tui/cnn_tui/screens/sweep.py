"""A sweep: its trials as they come, and pictures of what they found."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.widget import Widget
from textual.widgets import DataTable, Static

from cnn_core.errors import CnnTuiError
from cnn_core.files import write_text_atomically
from cnn_tui.output import literal
from cnn_tui.screens.ask_path import ask_path
from cnn_tui.screens.dialogs import Ask, Choice
from cnn_tui.screens.pick import Entry, Pick
from cnn_tui.screens.sweep_actions import SweepActions
from cnn_tui.sweep_figures import SHOWN, Shown
from cnn_tui.sweep_rows import head_text, sort_keys, trial_table, trials_csv
from cnn_tui.sweep_watch import SweepWatch
from cnn_tui.widgets.compared_curves import Picture
from cnn_tui.widgets.list_table import ListTable
from cnn_tui.widgets.sweep_pictures import PICTURES, SweepPictures
from cnn_tui.widgets.title_bar import TitleBar

if TYPE_CHECKING:
    from cnn_core.search.results import TrialRow

_SUFFIXES = {"csv": ".csv", "png": ".png", "svg": ".svg"}


class SweepPage(SweepActions):
    """Followed once a second, whoever trains it; what is shown is drawn only where it changed."""

    CSS_PATH = "sweep.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (150, "-wide")]  # noqa: RUF012
    HELP_TEXT = """\
The table has a trial in each row, the best with a `*`; `s` or a click on a header sorts it, `enter`
opens the run of a trial, `space` selects trials and `c` compares their runs.

- **Metric**: the trials over one parameter, which `p` chooses. Where values were tried several
  times, a line goes through their means. `y` changes to training and validation at the end of the
  last epoch, and to the test.
- **Parallel**: a line for each trial through the values it had, the best on top.
- **History**: the trials in their order, with the best so far.
- **Importance**: the share of the metric's variance that each parameter explains (fANOVA).

`z` gives the picture the whole page, the wheel zooms. `w` writes the table or the picture to a
file. `r` starts the sweep or goes on, `x` stops it with checkpoints, `e` extends it.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", id="trials.open", tooltip="Show the trial's run"),
        Binding("space", "mark", "Select", id="trials.select", tooltip="Select the trial"),
        Binding("c", "compare", "Compare", id="trials.compare", tooltip="Selected runs compared"),
        Binding("s", "sort", "Sort", id="trials.sort", tooltip="Choose the order of the trials"),
        *(
            Binding(
                str(number),
                f"pane('{picture}')",
                title,
                id=f"sweep.{picture}",
                show=False,
                tooltip=f"Show {title.lower()}",
            )
            for number, (picture, title) in enumerate(PICTURES.items(), start=1)
        ),
        Binding("v", "next_pane", "Picture", id="sweep.next", tooltip="Show the next picture"),
        Binding("p", "parameter", "Parameter", id="sweep.parameter", tooltip="Metric over which"),
        Binding("y", "figure", "Figure", id="sweep.figure", tooltip="Metric, train and val, test"),
        Binding("z", "full", "Full", id="sweep.full", tooltip="Give the picture all the page"),
        Binding("w", "write", "Write", id="sweep.write", tooltip="Write table or picture"),
    ]

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name_of_sweep = name
        self._sort = "number"
        self._marked: set[int] = set()
        self._parameter: str | None = None
        self._figure: Shown = "metric"
        self._looked = False
        self._head = ""

    def compose_page(self) -> Iterable[Widget]:
        """Put the head above the trials, and the pictures below them or beside."""
        yield Static("reading…", id="head")
        with Container(id="sweep-body"):
            with Vertical(id="trials-side"):
                yield ListTable(id="trials")
                yield Static(id="error")
            yield SweepPictures(id="sweep-pictures")

    def on_mount(self) -> None:
        """Read the sweep, and follow it."""
        self.query_one(TitleBar).page = f"Sweep {self.name_of_sweep}"
        self._watch = SweepWatch(self.cnn_app.workplace.runs_dir, self.name_of_sweep)
        self._table = self.query_one("#trials", ListTable)
        self._table.focus()
        self.app.theme_changed_signal.subscribe(self, lambda _: self._show())
        self.follow()

    def on_resize(self) -> None:
        """Show as many columns as fit."""
        self.call_after_refresh(self._show)

    # --- reading and showing --------------------------------------------------------------------

    async def look(self) -> None:
        """Take in what changed."""
        try:
            changed = await asyncio.to_thread(self._watch.poll)
        finally:
            self.looking = False
        if changed or not self._looked:
            self._looked = True
            self._show()
        else:
            self._show_head()

    def _show(self) -> None:
        if not self._looked or not self.is_mounted:
            return
        self._show_head()
        folder, results = self._watch.folder, self._watch.results
        if folder is None or results is None:
            return
        self._marked &= {trial.number for trial in results.trials}
        self._table.show(
            *trial_table(
                folder.sweep,
                results,
                sort=self._sort,
                marked=self._marked,
                colours=self.app.theme_variables,
                width=self._table.size.width,
            )
        )
        self._show_pictures()
        self._show_error()
        self.refresh_bindings()

    def _show_head(self) -> None:
        starting = self.cnn_app.sweep_starts.alive(self.name_of_sweep)
        head = head_text(self._watch, starting=starting, colours=self.app.theme_variables)
        if self._head != head.markup:
            self._head = head.markup
            self.query_one("#head", Static).update(head)

    def _show_pictures(self) -> None:
        pictures = self.query_one(SweepPictures)
        if self._watch.folder is not None and pictures.display:
            pictures.show(
                self._watch, self._key(list(self._watch.folder.sweep.parameters)), self._figure
            )

    def _key(self, keys: list[str]) -> str:
        return self._parameter if self._parameter in keys else keys[0]

    @on(DataTable.RowHighlighted, "#trials")
    def _show_error(self) -> None:
        trial = self.current()
        said = self.query_one("#error", Static)
        error = trial.error if trial is not None else None
        said.display = bool(error)
        if trial is not None and error:
            said.update(literal(f"trial {trial.number} {trial.status}: {error}"))

    # --- trials ---------------------------------------------------------------------------------

    def meant(self) -> SweepWatch | None:
        """Return the sweep of this page."""
        return self._watch if self._looked else None

    def deleted(self) -> None:
        """Leave the page of a sweep that is gone."""
        self.dismiss()

    def current(self) -> "TrialRow | None":
        """Return the trial under the cursor."""
        key = self._table.key
        trials = self._watch.results.trials if self._watch.results is not None else ()
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
            self._marked ^= {trial.number}
            self._show()
            self._table.action_cursor_down()

    @on(ListTable.Clicked, "#trials")
    def _clicked(self, event: ListTable.Clicked) -> None:
        if event.column == "mark":
            self._marked ^= {int(event.key)}
            self._show()

    def action_compare(self) -> None:
        """Show the runs of the selected trials side by side."""
        results = self._watch.results
        trials = (
            [trial for trial in results.trials if trial.number in self._marked] if results else []
        )
        folders = [run_dir for trial in trials if (run_dir := self._run_dir(trial))]
        if len(folders) < 2:
            self.tell("Select two trials or more with space, then compare their runs")
        else:
            self.cnn_app.compare(folders)

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_sort(self) -> None:
        """Choose the order."""
        if self._watch.folder is None:
            return
        titles = sort_keys(self._watch.folder.sweep)
        turned = {"▲": self._sort, "▼": self._sort.removeprefix("-")}
        now = "▼" if self._sort.startswith("-") else "▲"
        entries = [
            Entry(
                key, f"{title if title != key else ''} {now if key == turned[now] else ''}".strip()
            )
            for key, title in titles.items()
        ]
        chosen = await self.app.push_screen_wait(
            Pick("Sort the trials by", entries, current=self._sort.removeprefix("-"))
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
        self._sort = other if self._sort == first else first
        self._show()

    # --- pictures -------------------------------------------------------------------------------

    def action_pane(self, picture: str) -> None:
        """Show a picture."""
        self.query_one(SweepPictures).choose(picture)
        self._show_pictures()

    def action_next_pane(self) -> None:
        """Show the next picture."""
        names = list(PICTURES)
        shown = self.query_one(SweepPictures).shown
        self.action_pane(names[(names.index(shown) + 1) % len(names)])

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_parameter(self) -> None:
        """Choose the parameter of the x-axis; of two, take the other one."""
        if self._watch.folder is None:
            return
        keys = list(self._watch.folder.sweep.parameters)
        chosen: str | None = keys[(keys.index(self._key(keys)) + 1) % len(keys)]
        if len(keys) > 2:
            chosen = await self.app.push_screen_wait(
                Pick("Metric over", [Entry(key) for key in keys], current=self._key(keys))
            )
        if chosen is not None:
            self._parameter = chosen
            self.action_pane("metric")

    def action_figure(self) -> None:
        """Show the next figure over the parameter."""
        pictures = self.query_one(SweepPictures)
        if pictures.shown == "metric":
            self._figure = SHOWN[(SHOWN.index(self._figure) + 1) % len(SHOWN)]
        self.action_pane("metric")

    def action_full(self) -> None:
        """Let the picture fill the page, or return to the table."""
        self.toggle_class("-full")
        (self.query_one(SweepPictures) if self.has_class("-full") else self._table).focus()

    def action_back(self) -> None:
        """Leave the full picture first."""
        if self.has_class("-full"):
            self.action_full()
        else:
            super().action_back()

    # --- files ----------------------------------------------------------------------------------

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_write(self) -> None:
        """Write the table or the picture to a file."""
        folder, results = self._watch.folder, self._watch.results
        if folder is None or results is None or not results.trials:
            self.tell("nothing to write yet")
            return
        pictures = self.query_one(SweepPictures)
        choices = [Choice("csv", "c", "table as CSV, every digit")]
        if pictures.shown in ("metric", "history"):
            choices += [Choice("png", "p", "picture as PNG"), Choice("svg", "s", "picture as SVG")]
        kind = await self.app.push_screen_wait(Ask("Write to a file", "", choices))
        if kind is None:
            return
        path = await ask_path(self, f"sweep-{self.name_of_sweep}", _SUFFIXES[kind])
        if path is None:
            return
        try:
            if kind == "csv":
                write_text_atomically(path, trials_csv(folder.sweep, results))
            else:
                key = self._key(list(folder.sweep.parameters))
                figure = pictures.figure(folder.sweep, results, key, self._figure)
                picture = Picture(figure.title, figure.curves, figure.view)
                await asyncio.to_thread(picture.save, path)
        except (CnnTuiError, OSError) as error:
            self.tell_error(error)
        else:
            self.tell(f"written: {path.resolve()}")

"""A sweep: its trials as they come, and pictures of what they found."""

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.widget import Widget
from textual.widgets import DataTable, Static

from cnn_tui.output import literal
from cnn_tui.screens.pick import Entry, Pick
from cnn_tui.screens.trial_actions import TrialActions
from cnn_tui.screens.write_sweep import write_sweep
from cnn_tui.sweep_figures import SHOWN, Shown
from cnn_tui.sweep_rows import head_text, trial_table
from cnn_tui.sweep_watch import SweepWatch
from cnn_tui.widgets.list_table import ListTable
from cnn_tui.widgets.sweep_pictures import PICTURES, SweepPictures
from cnn_tui.widgets.title_bar import TitleBar


class SweepPage(TrialActions):
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
        super().__init__(name)
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
        self.sweep_watch = SweepWatch(self.cnn_app.workplace.runs_dir, self.name_of_sweep)
        self.query_one("#trials").focus()
        self.app.theme_changed_signal.subscribe(self, lambda _: self.show())
        self.follow()

    def on_resize(self) -> None:
        """Show as many columns as fit."""
        self.call_after_refresh(self.show)

    # --- reading and showing --------------------------------------------------------------------

    async def look(self) -> None:
        """Take in what changed."""
        try:
            changed = await asyncio.to_thread(self.sweep_watch.poll)
        finally:
            self.looking = False
        if changed or not self._looked:
            self._looked = True
            self.show()
        else:
            self._show_head()

    def show(self) -> None:
        """Show what was read: only what differs is drawn."""
        if not self._looked or not self.is_mounted:
            return
        self._show_head()
        folder, results = self.sweep_watch.folder, self.sweep_watch.results
        if folder is None or results is None:
            return
        self.marked &= {trial.number for trial in results.trials}
        self.table.show(
            *trial_table(
                folder.sweep,
                results,
                sort=self.sort,
                marked=self.marked,
                colours=self.app.theme_variables,
                width=self.table.size.width,
            )
        )
        self._show_pictures()
        self._show_error()
        self.refresh_bindings()

    def _show_head(self) -> None:
        phase = self.cnn_app.sweep_starts.phase(self.name_of_sweep)
        head = head_text(self.sweep_watch, phase, self.app.theme_variables)
        if self._head != head.markup:
            self._head = head.markup
            self.query_one("#head", Static).update(head)

    def _show_pictures(self) -> None:
        if self.sweep_watch.folder is not None:
            key = self._key(list(self.sweep_watch.folder.sweep.parameters))
            self.query_one(SweepPictures).show(self.sweep_watch, key, self._figure)

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
        return self.sweep_watch if self._looked else None

    def deleted(self) -> None:
        """Leave the page of a sweep that is gone."""
        self.dismiss()

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
        if self.sweep_watch.folder is None:
            return
        keys = list(self.sweep_watch.folder.sweep.parameters)
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
        (self.query_one(SweepPictures) if self.has_class("-full") else self.table).focus()

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
        folder, results = self.sweep_watch.folder, self.sweep_watch.results
        if folder is None or results is None or not results.trials:
            self.tell("nothing to write yet")
            return
        pictures = self.query_one(SweepPictures)
        figure = None
        if pictures.shown in ("metric", "history"):
            key = self._key(list(folder.sweep.parameters))
            figure = pictures.figure(folder.sweep, results, key, self._figure)
        await write_sweep(self, folder.sweep, results, figure)

"""The sweeps of the folder, live."""

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import DataTable, Static

from cnn_core.errors import CnnTuiError
from cnn_core.search.sweep_config import Sweep
from cnn_tui.output import literal
from cnn_tui.screens.start_sweep import PickSweep
from cnn_tui.screens.sweep_actions import SweepActions
from cnn_tui.sweep_rows import sweep_table
from cnn_tui.sweep_watch import SweepsWatch, SweepWatch
from cnn_tui.widgets.list_table import ListTable
from cnn_tui.widgets.title_bar import TitleBar

_EMPTY = """\
No sweep has begun.

n begins one: a shipped sweep, or a file of your own. digits-learning-rate is done in a minute.
In a shell, cnn-tui sweep FILE does the same; it shows up here at once."""


class SweepsPage(SweepActions):
    """Each sweep with how far it is, and the best of it."""

    CSS_PATH = "sweep.tcss"
    HELP_TEXT = """\
A **sweep** trains a preset many times to find the values of its keys that serve best: all of a
grid, or drawn at random or near what was good. It is a TOML file:

    name = "rates"
    preset = "digits"
    trials = 12
    [search]
    sampler = "random"        # or "grid", "tpe"
    [parameters]
    "optim.lr" = {type = "float", low = 1e-3, high = 1.0, log = true}
    "train.batch_size" = {values = [32, 128]}

This list follows all sweeps beside the runs, whoever trains them. `enter` opens one, `n` begins
one. A sweep that is started here trains in processes of its own: it goes on when the app is closed,
and `x` stops it from anywhere. `r` goes on where it stopped, and tries what failed once more.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "New sweep", id="sweeps.new", tooltip="Begin a sweep of a file"),
        Binding("enter", "open", "Open", id="sweeps.open", tooltip="Show its trials"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._said: str | None = None
        self._looked = False

    def compose_page(self) -> Iterable[Widget]:
        """Put the table under what is said where there is none."""
        with Vertical(id="sweeps-body"):
            yield Static("reading…", id="sweeps-said")
            yield ListTable(id="sweeps")
            yield Static(id="error")

    def on_mount(self) -> None:
        """Read the sweeps, and follow them."""
        self.query_one(TitleBar).page = "Sweeps"
        self._watch = SweepsWatch(self.cnn_app.workplace.runs_dir)
        self._table = self.query_one("#sweeps", ListTable)
        self._table.display = False
        self._table.focus()
        self.follow()

    def on_resize(self) -> None:
        """Show as many columns as fit."""
        self._show()

    async def look(self) -> None:
        """Take in what changed."""
        try:
            await asyncio.to_thread(self._watch.poll)
        except (CnnTuiError, OSError) as error:
            self._say(str(error))
            return
        finally:
            self.looking = False
        self._looked = True
        self._show()

    def _show(self) -> None:
        if not self._looked:
            return
        watches = self._watch.sweeps
        phase = self.cnn_app.sweep_starts.phase
        phases = {watch.name: phase(watch.name) for watch in watches}
        self._table.show(*sweep_table(watches, phases, self.app.theme_variables, self.size.width))
        self._say("" if watches else _EMPTY)
        if self._table.display != bool(watches):
            self._table.display = bool(watches)
            if watches and self.focused is None:
                self._table.focus()
        self._show_error()
        self.refresh_bindings()

    @on(DataTable.RowHighlighted, "#sweeps")
    def _show_error(self) -> None:
        """Tell why the sweep under the cursor can't be read."""
        watch = self.meant()
        said = self.query_one("#error", Static)
        said.display = bool(watch and watch.error)
        if watch is not None and watch.error:
            said.update(literal(watch.error))

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            said = self.query_one("#sweeps-said", Static)
            said.update(literal(text) if "\n" not in text else text)
            said.display = bool(text)

    # --- what one can do ------------------------------------------------------------------------

    def meant(self) -> SweepWatch | None:
        """Return the sweep under the cursor."""
        if not self._looked:
            return None
        key = self._table.key
        return next((watch for watch in self._watch.sweeps if watch.name == key), None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what needs a sweep where there is none."""
        if action == "open" and self.meant() is None:
            return None
        return super().check_action(action, parameters)

    def action_open(self) -> None:
        """Show the sweep's trials."""
        if (watch := self.meant()) is not None:
            self.cnn_app.open_sweep(watch.name)

    @on(ListTable.Opened)
    def _opened(self) -> None:
        self.action_open()

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_new(self) -> None:
        """Choose a shipped sweep or a file, and start it."""
        try:
            shipped = await asyncio.to_thread(_shipped)
        except (CnnTuiError, OSError) as error:
            self.tell_error(error)
            return
        reference = await self.app.push_screen_wait(PickSweep(shipped))
        if reference is not None:
            await self.start(None, reference)


def _shipped() -> list[tuple[str, Sweep]]:
    from cnn_core.search.sweep_files import load_sweep, shipped_sweeps

    return [(name, load_sweep(path)[0]) for name, path in shipped_sweeps().items()]

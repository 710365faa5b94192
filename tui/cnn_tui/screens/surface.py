"""Optimizers on functions of two variables: their paths over a heat map, live."""

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from cnn_core.errors import CnnTuiError
from cnn_core.surfaces.history import norm_curves, value_curves, value_label
from cnn_tui.output import literal
from cnn_tui.screens.ask_path import ask_path
from cnn_tui.screens.dialogs import Ask, Choice
from cnn_tui.screens.surface_choices import SurfaceChoices
from cnn_tui.surface_race import Race
from cnn_tui.surface_text import methods_table
from cnn_tui.widgets.chart import Chart
from cnn_tui.widgets.list_table import ListTable
from cnn_tui.widgets.surface_map import SurfaceMap
from cnn_tui.widgets.title_bar import TitleBar

_TICK_S = 0.1
_FASTER = 15  # a tick shows one step more for so many that are shown
_SIDE = 44  # columns beside the map


class SurfacePage(SurfaceChoices):
    """A surface and its descents: a thread computes them, a timer shows them step by step."""

    CSS_PATH = "surface.tcss"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012 (as Screen has it)
    HELP_TEXT = """\
What optimizers do, on **functions of two variables** whose minima (`x`) are known. All methods that
are on begin at the cross; `space` lets them go, and stops them to look at. A path ends where the
gradient is small (*at rest*), at the edge of the domain (*left*), or after 3,000 steps (*spent*).

- The arrow keys move the start, with shift ten times as far; a click puts it anywhere.
- `1` to `8` switch methods on and off; `o` adds any optimizer of torch.optim, such as
  `rmsprop lr=0.01 alpha=0.9`.
- `l` sets learning rates: `0.01` for all, `momentum=0.01` for one, nothing for those that suit.
- `i` descends on an **image** of the function with 64 or 256 pixels along an edge, bilinear between
  them. Learning rates count pixels then; so does the step of 1 of the numeric gradient.
- `w` writes the descents as PNG or as an animated GIF. `cnn-tui surface` does all of this too.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "run", "Go, pause", id="surface.run", tooltip="Let the methods descend"),
        Binding("enter", "run", "Go, pause", show=False, id="surface.run_too", tooltip="As space"),
        Binding("w", "write", "Write", id="surface.write", tooltip="Write a PNG or a GIF"),
    ]

    def __init__(self, name: str = "beale") -> None:
        super().__init__(name)
        self._race: Race | None = None
        self._going = False
        self._upto = 0

    def compose_page(self) -> Iterable[Widget]:
        """Put the map beside the curves and the methods."""
        yield Static(id="surface-said")
        with Horizontal(id="surface-body"):
            with Container(id="surface-map-pane", classes="pane"):
                yield SurfaceMap()
            with Vertical(id="surface-side"):
                yield Chart(id="surface-value", classes="pane")
                yield Chart(id="surface-norm", classes="pane")
                yield ListTable(id="surface-methods")

    def on_mount(self) -> None:
        """Show the first surface."""
        self.query_one(TitleBar).page = "Surfaces"
        self._map = self.query_one(SurfaceMap)
        self._value, self._norm = self.query(Chart)
        self._table = self.query_one(ListTable)
        self._ticker = self.set_interval(_TICK_S, self._tick, pause=True)
        self._map.focus()
        self.restart()

    def on_unmount(self) -> None:
        """Compute no more for nobody."""
        if self._race is not None:
            self._race.stop()

    def on_resize(self) -> None:
        """Give the map the square that it can fill."""
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        pane = self.query_one("#surface-map-pane")
        taken = pane.outer_size.height - pane.content_size.height
        width = 2 * (self.query_one("#surface-body").size.height - taken) + 2 * taken
        pane.styles.width = max(min(width, self.size.width - _SIDE), self.size.width // 3)
        self._show()

    # --- running ---------------------------------------------------------------------------------

    def action_run(self) -> None:
        """Begin, pause or go on; after the end begin anew."""
        if self._race is not None and not self._ended:
            self._go(not self._going)
            return
        self.restart()
        race = self.chosen()
        if race.entrants:
            self._race = race
            self.run_worker(race.run, name="descents", thread=True, exit_on_error=False)
            self._go(True)
        else:
            self.tell("every method is off: 1 to 8 switch them on")

    def restart(self) -> None:
        """Take all paths away, and show the surface as it was chosen."""
        if self._race is not None:
            self._race.stop()
        self._race, self._upto = None, 0
        self._map.show(self.surface, self.grid, self.start)
        box = self.surface.domain
        title = f"x {box.x_low:g} … {box.x_high:g}, y {box.y_low:g} … {box.y_high:g}"
        self.query_one("#surface-map-pane").border_title = title
        self._value.log_y, self._norm.log_y = self.surface.lowest is not None, True
        self._go(False)

    @property
    def _ended(self) -> bool:
        race = self._race
        return race is not None and race.complete and self._upto >= race.longest

    def _go(self, going: bool) -> None:
        self._going = going
        if going:
            self._ticker.resume()
        else:
            self._ticker.pause()
        self._show()
        self.refresh_bindings()

    def _tick(self) -> None:
        """Show some steps more, the more the longer it lasts."""
        race = self._race
        if race is None or not race.tracks:
            return
        self._upto = min(self._upto + 1 + self._upto // _FASTER, race.known)
        for track in race.tracks:
            self._map.extend(track.style, track.steps, self._upto)
        if self._ended:
            self._go(False)
        else:
            self._show()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Begin anew after what could not be descended, of which the page tells."""
        if event.worker.name == "descents" and event.state is WorkerState.ERROR:
            self.restart()

    # --- showing ---------------------------------------------------------------------------------

    def _show(self) -> None:
        surface, race = self.surface, self._race
        kind = "exact" if self.grid is None else f"{self.grid} x {self.grid} pixels"
        state = "space begins" if race is None else "running" if self._going else "paused"
        self.query_one("#surface-said", Static).update(
            literal(
                f"{surface.title}, {kind}, {self.gradient} · start {self.start[0]:g}, "
                f"{self.start[1]:g} · step {self._upto:,} · {'ended' if self._ended else state}"
            ),
            layout=False,
        )
        tracks = race.tracks if race is not None else ()
        values = value_curves(surface, tracks, self._upto)
        norms = norm_curves(tracks, self._upto)
        for chart, curves, label in (
            (self._value, values, value_label(surface)),
            (self._norm, norms, "gradient norm"),
        ):
            chart.show(curves, x_label="step", y_label=label, now=not self._going)
        methods = race.methods if race is not None and tracks else ()  # known before them
        steps = [track.steps[: self._upto + 1][-1] for track in tracks]
        width = self._table.size.width
        self._table.show(
            *methods_table(surface, self.entrants, self.off, methods, steps, width, self._norm.ink)
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim the writing of what is not there yet."""
        if action == "write" and (self._race is None or not self._race.complete):
            return None
        return super().check_action(action, parameters)

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_write(self) -> None:
        """Ask for a kind of file and its path, and write all steps."""
        race = self._race
        if race is None:
            return
        choices = [
            Choice("png", "p", "picture with the curves (PNG)"),
            Choice("gif", "g", "paths that grow (animated GIF)"),
        ]
        kind = await self.app.push_screen_wait(Ask("Write to a file", "", choices))
        path = kind and await ask_path(self, f"surface-{race.surface.name}", f".{kind}")
        if not path:
            return
        self.tell("drawing…")
        try:
            await asyncio.to_thread(race.save, path)
        except (CnnTuiError, OSError) as error:
            self.tell_error(error)
        else:
            self.tell(f"written: {path.resolve()}")

"""The app: which pages there are, and what all of them share."""

import contextlib
import gc
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.types import CSSPathType

from cnn_core.errors import CnnTuiError
from cnn_tui import themes
from cnn_tui.driver import PatientDriver
from cnn_tui.screens.catalog import PAGES
from cnn_tui.screens.leaving import AskHowToLeave, Leaving
from cnn_tui.screens.page import Dialog
from cnn_tui.screens.runs import RunsPage
from cnn_tui.settings import Config, State
from cnn_tui.slot import TrainingSlot
from cnn_tui.sweep_starts import SweepStarts
from cnn_tui.widgets.title_bar import TitleBar
from cnn_tui.workplace import Workplace

_STATUS_INTERVAL_S = 1.0


class CnnTuiApp(App[str]):
    """Pages over one training slot; ``run()`` returns what to tell the user afterwards."""

    # The first page's is not loaded with it, as those of further pages are.
    CSS_PATH: ClassVar[CSSPathType | None] = ["app.tcss", "screens/runs.tcss"]
    TITLE = "cnn-tui"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", id="app.help", tooltip="What one can do here, every key"),
        Binding("ctrl+q", "quit", "Quit", id="app.quit", tooltip="Leave; a training is asked for"),
    ]

    def __init__(
        self,
        workplace: Workplace,
        config: Config | None = None,
        state: State | None = None,
        *,
        first: Path | None = None,
        chart_fps: float = 4.0,
    ) -> None:
        """``first`` is a run to train and show at once."""
        super().__init__(driver_class=PatientDriver)
        self.workplace = workplace
        self.config = config or Config()
        self.state = state or State()
        self.slot = TrainingSlot(workplace, self.config.notify)
        self.sweep_starts = SweepStarts(workplace)
        self.chart_fps = chart_fps
        self.animation_level = "none"  # over a slow line every frame is a burden
        self._first = first

    def get_default_screen(self) -> Screen[None]:
        """Begin with the list of runs."""
        return RunsPage()

    def on_mount(self) -> None:
        """Take the user's theme and keys."""
        self.register_theme(themes.DARK)
        self.register_theme(themes.LIGHT)
        if self.state.theme in self.available_themes:
            self.theme = self.state.theme
        self.theme_changed_signal.subscribe(self, lambda theme: self._remember(theme.name))
        self.set_keymap(self.config.keys)
        self.set_interval(_STATUS_INTERVAL_S, self._look_after_slot)
        if self._first is not None:
            self.load_torch()
            self.train(self._first)

    # --- pages -----------------------------------------------------------------------------

    def open_run(self, run_dir: Path) -> None:
        """Show a run live, unless it is shown already."""
        from cnn_tui.screens.live import LivePage

        if not self._shows(run_dir):
            self.push_screen(LivePage(run_dir))

    def _shows(self, run_dir: Path) -> bool:
        from cnn_tui.screens.live import LivePage

        return isinstance(self.screen, LivePage) and self.screen.run_dir == run_dir

    def look_inside(self, run_dir: Path) -> None:
        """Ask the network of a run, and look at its parts."""
        from cnn_tui.screens.inspect import InspectPage

        self.push_screen(InspectPage(run_dir))

    def new_experiment(self, from_run: Path | None = None) -> None:
        """Open the form of a new experiment, as a run was or empty."""
        from cnn_tui.screens.new import NewPage

        self.push_screen(NewPage(from_run))

    def compare(self, run_dirs: list[Path]) -> None:
        """Show runs side by side."""
        from cnn_tui.screens.compare import ComparePage

        self.push_screen(ComparePage(run_dirs))

    def open_page(self, name: str) -> None:
        """Show a page that the catalog names."""
        self.push_screen(PAGES[name].page())

    def open_sweep(self, name: str) -> None:
        """Show a sweep's trials, live."""
        from cnn_tui.screens.sweep import SweepPage

        self.push_screen(SweepPage(name))

    def train(self, run_dir: Path) -> None:
        """Train the run in this process and show it; where another one trains, queue it."""
        if not self.slot.start(run_dir):
            self.enqueue(run_dir)
        self.open_run(run_dir)

    def enqueue(self, run_dir: Path) -> None:
        """Let the run wait until those before it have been trained."""
        try:
            self.slot.enqueue(run_dir)
        except (CnnTuiError, OSError) as error:
            self.notify(str(error), severity="error", timeout=10, markup=False)
        else:
            self.notify(f"{run_dir.name} waits in the queue", markup=False)

    # --- what all pages share ----------------------------------------------------------------

    def action_help(self) -> None:
        """Show what one can do here."""
        from cnn_tui.screens.help import Help

        if not isinstance(self.screen, Dialog):
            self.push_screen(Help(self.screen))

    async def action_quit(self) -> None:
        """Leave; if this process trains, ask what shall become of that."""
        if not self.slot.busy:
            self.exit()
            return
        if not isinstance(self.screen, Leaving):
            self.push_screen(AskHowToLeave(), self._leave)

    def _leave(self, answer: str | None) -> None:
        if answer in ("background", "stop"):
            self.push_screen(Leaving(in_background=answer == "background"))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every action that has a key here, and Textual's own commands."""
        offered = {"command_palette"}
        for active in screen.active_bindings.values():
            binding, node = active.binding, active.node
            # What several keys do is offered once.
            if binding.description and active.enabled and binding.action not in offered:
                offered.add(binding.action)
                yield SystemCommand(
                    binding.description,
                    binding.tooltip or f"key {self.get_key_display(binding)}",
                    lambda action=binding.action, node=node: self.call_later(
                        self.run_action, action, node
                    ),
                )
        yield from super().get_system_commands(screen)

    def _remember(self, theme: str) -> None:
        self.state.theme = theme
        self.save_state()

    def save_state(self) -> None:
        """Keep the state for the next start."""
        try:
            self.state.save()
        except OSError as error:
            self.notify(f"settings not kept: {error}", severity="warning", markup=False)

    def _look_after_slot(self) -> None:
        self.slot.start_waiting()
        for error in [*self.slot.take_errors(), *self.sweep_starts.take_errors()]:
            self.notify(error, severity="error", timeout=10, markup=False)
        ended = self.slot.take_bell()
        if ended is not None and not self._shows(ended):  # whose page rings by itself
            self.bell()
        current = self.slot.current
        training = f"training {current.name}" if current and self.slot.busy else ""
        for bar in self.screen.query(TitleBar):
            bar.training = training

    def load_torch(self) -> None:
        """Load it in a thread, so that it is there when it is needed."""

        def load() -> None:
            import cnn_tui.screens.live  # noqa: F401  (what draws charts)

            with contextlib.suppress(ImportError):  # told where it is needed
                import cnn_core.runs.session  # noqa: F401
            # The modules' objects live for ever: a full collection need not visit them, which
            # would hold up the screen for half a second each time.
            gc.freeze()

        threading.Thread(target=load, name="load torch", daemon=True).start()

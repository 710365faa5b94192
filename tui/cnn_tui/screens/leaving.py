"""Quitting while this process trains: what shall become of the training."""

import asyncio
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from cnn_core.errors import CnnTuiError
from cnn_core.runs.reader import read_summary
from cnn_tui.background import train_queue_in_background
from cnn_tui.output import literal
from cnn_tui.screens.dialogs import Ask, Choice
from cnn_tui.screens.page import Dialog
from cnn_tui.workers import run_beside

if TYPE_CHECKING:
    from cnn_tui.app import CnnTuiApp

_LOOK_INTERVAL_S = 0.1


class AskHowToLeave(Ask):
    """Returns "background", "stop" or None."""

    def __init__(self) -> None:
        super().__init__(
            "A run is being trained here",
            "",
            [
                Choice("background", "b", "keep training in the background, and quit"),
                Choice("stop", "s", "stop with a checkpoint, and quit"),
                Choice("cancel", "c", "cancel: stay here"),
            ],
        )


class Leaving(Dialog):
    """Waits for the training thread to stop with a checkpoint, then ends the app.

    In the background, another process goes on from that checkpoint, which is the same run bit
    for bit, and then with the queue.
    """

    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, *, in_background: bool) -> None:
        super().__init__()
        self._in_background = in_background

    def compose(self) -> ComposeResult:
        """Say what is waited for."""
        with Vertical(classes="dialog"):
            yield Static("Leaving", classes="dialog-title")
            yield Static("stopping this step with a checkpoint…", id="leaving-state")

    def on_mount(self) -> None:
        """Ask the thread to stop."""
        run_beside(self, self._leave)

    def action_cancel(self) -> None:
        """There is no way back: the thread takes no more runs."""

    async def _leave(self) -> None:
        app = cast("CnnTuiApp", self.app)
        slot, run_dir = app.slot, app.slot.current
        slot.close(stop=True)
        while not slot.join(0):
            await asyncio.sleep(_LOOK_INTERVAL_S)
        told, first = None, None
        try:
            if run_dir is not None:
                status = (await asyncio.to_thread(read_summary, run_dir))["status"]
                told = f"{run_dir.name}: {status}"
                if status == "stopped":
                    first = run_dir
                    told += f"; to go on from here: cnn-tui resume {run_dir.name}"
            if self._in_background:
                self.query_one("#leaving-state", Static).update("starting in the background…")
                if await asyncio.to_thread(
                    train_queue_in_background, app.workplace, slot.queue, first=first
                ):
                    told = "training goes on in the background; cnn-tui shows it"
        except (CnnTuiError, OSError) as error:
            self.query_one("#leaving-state", Static).update(literal(str(error)))
            app.exit(str(error), return_code=1)
        else:
            app.exit(told)

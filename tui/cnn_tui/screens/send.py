"""Asks where a run shall be trained: in a process here, on a Ray cluster, by SLURM."""

import asyncio
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from cnn_core.errors import CnnTuiError, UserError
from cnn_core.launch.choose import LAUNCHERS
from cnn_tui.options import launch_options
from cnn_tui.output import literal, sentence
from cnn_tui.screens.page import Dialog, Page
from cnn_tui.sending import Destination, send
from cnn_tui.widgets.one_of import OneOf

if TYPE_CHECKING:
    from cnn_tui.app import CnnTuiApp

_ABOUT = {
    "local": "A process of its own on this machine, which outlives the app. It has no options.",
    "ray": "Ray: a cluster (address=auto or HOST:PORT), or else one started here. "
    "Options: address, gpus, cpus.",
    "slurm": "SLURM: preempted, it is queued again and goes on. Options such as "
    "slurm_partition=gpu gpus_per_node=1 timeout_min=60",
}


class SendTo(Dialog):
    """Returns the destination; launcher and options are remembered for the next time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "Send", id="dialog.accept"),
    ]

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def compose(self) -> ComposeResult:
        """Put the launcher above its options."""
        launcher = self._app.state.launcher
        with Vertical(classes="dialog send"):
            yield Static(literal(f"Send {self._what} to…"), classes="dialog-title")
            with Horizontal(classes="send-line"):
                yield Static("launcher", classes="send-label")
                yield OneOf(LAUNCHERS, value=launcher if launcher in LAUNCHERS else LAUNCHERS[0])
            with Horizontal(classes="send-line"):
                yield Static("options", classes="send-label")
                yield Input(placeholder="key=value key=value")
            yield Static(classes="send-about muted")
            yield Static("", classes="dialog-error")

    def on_mount(self) -> None:
        """Begin with the launcher used last."""
        self._show()
        self.query_one(OneOf).focus()

    @property
    def _app(self) -> "CnnTuiApp":
        return cast("CnnTuiApp", self.app)

    @on(OneOf.Changed)
    def _show(self) -> None:
        """Show the options that were last given to the launcher."""
        launcher = self.query_one(OneOf).value
        self.query_one(Input).value = str(self._app.state.launch_options.get(launcher, ""))
        self.query_one(".send-about", Static).update(_ABOUT[launcher])
        self.query_one(".dialog-error", Static).update("")

    @on(OneOf.Asked)
    @on(Input.Submitted)
    def action_accept(self) -> None:
        """Answer, unless the launcher can't be used so."""
        launcher, text = self.query_one(OneOf).value, self.query_one(Input).value.strip()
        place, state = self._app.workplace, self._app.state
        try:
            to = Destination(launcher, launch_options(_words(text)))
            to.launcher_for(place.runs_dir, place.device)
        except CnnTuiError as error:
            self.query_one(".dialog-error", Static).update(literal(sentence(error)))
            return
        state.launcher = launcher
        state.launch_options = state.launch_options | {launcher: text}
        self._app.save_state()
        self.dismiss(to)


async def send_runs(page: Page, run_dirs: list[Path], to: Destination) -> None:
    """Hand runs over, one after another, and tell of each."""
    place = page.cnn_app.workplace
    for run_dir in run_dirs:
        page.tell(f"sending {run_dir.name} to {to.launcher}")
        try:
            told = await asyncio.to_thread(
                send, run_dir, to, data_dir=place.data_dir, device=place.device
            )
        except (CnnTuiError, OSError) as error:
            page.tell_error(f"{run_dir.name}: {error}")
        else:
            page.tell(f"{run_dir.name} {told}")


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UserError(f"options: {str(error).lower()}") from error

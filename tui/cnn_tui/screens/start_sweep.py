"""Windows before a sweep: which one, how many trials, and where they are trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label, Static

from cnn_core.errors import UserError, printable
from cnn_core.launch.choose import LAUNCHERS
from cnn_core.search.sweep_config import Parameter, Sweep, name_of
from cnn_core.search.sweep_files import find_sweep_file, load_sweep
from cnn_tui.output import literal
from cnn_tui.screens.page import Dialog
from cnn_tui.screens.pick import Entry, PickOrPath
from cnn_tui.settings import State
from cnn_tui.widgets.one_of import OneOf

_AS_SAID = "as the sweep says"
_FIRST = "Start here"
_MOST_VALUES = 6


class PickSweep(PickOrPath):
    """Returns the name of a shipped sweep, or the path of a file."""

    def __init__(self, sweeps: Sequence[tuple[str, Sweep]]) -> None:
        entries = [
            Entry(name, sweep.notes, also=f"{sweep.preset} {' '.join(sweep.parameters)}")
            for name, sweep in sorted(sweeps, key=lambda item: _FIRST not in item[1].notes)
        ]
        super().__init__("Begin a sweep", entries, "Path of a sweep file", _check_file)


def _check_file(path: str) -> None:
    load_sweep(find_sweep_file(path))


@dataclass(frozen=True, slots=True)
class Asked:
    """What to start: None and absent keys are as the sweep has them."""

    trials: int | None
    launch: dict[str, Any]


class StartSweep(Dialog):
    """Returns what was asked for, None if nothing; keeps launcher and workers in the state."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "accept", "Start", id="sweep.accept", tooltip="Start it"),
        Binding("down", "app.focus_next", "Next", show=False),
        Binding("up", "app.focus_previous", "Previous", show=False),
    ]

    def __init__(self, sweep: Sweep, base: dict[str, Any], state: State) -> None:
        super().__init__()
        self._sweep, self._base, self._state = sweep, base, state

    def compose(self) -> ComposeResult:
        """Show what is searched above what may be chosen."""
        sweep, launch = self._sweep, self._sweep.launch
        said = f"workers: {launch.workers}" if launch.workers else "one a GPU, or for two cores"
        kept = self._state.sweep_launcher
        with Vertical(classes="dialog start-sweep"):
            yield Static(literal(f"Start {sweep.name}"), classes="dialog-title")
            yield Static(_described(sweep, self._base), classes="dialog-text")
            with Horizontal(classes="asked"):
                yield Label("trials")
                yield Input(str(sweep.wanted), id="trials")
            with Horizontal(classes="asked"):
                yield Label("workers")
                yield Input(self._state.sweep_workers, placeholder=said, id="workers")
            with Horizontal(classes="asked"):
                yield Label("launcher")
                yield OneOf((_AS_SAID, *LAUNCHERS), value=kept if kept in LAUNCHERS else _AS_SAID)
            yield Static(f"the sweep says: {launch.launcher}", classes="muted")
            yield Static("", classes="dialog-error")
            yield Static("enter starts it, in a process of its own; esc does not", classes="muted")

    def on_mount(self) -> None:
        """Write on at the number of trials."""
        self.query_one("#trials", Input).focus()

    @on(Input.Submitted)
    @on(OneOf.Asked)
    def _submitted(self) -> None:
        self.action_accept()

    def action_accept(self) -> None:
        """Answer, unless a number is none."""
        sweep, state = self._sweep, self._state
        workers = self.query_one("#workers", Input).value.strip()
        launcher = self.query_one(OneOf).value
        try:
            trials = whole(self.query_one("#trials", Input).value)
            launch: dict[str, Any] = {"workers": whole(workers)} if workers else {}
        except UserError as error:
            self.query_one(".dialog-error", Static).update(literal(str(error)))
            return
        state.sweep_workers = workers
        state.sweep_launcher = launcher if launcher in LAUNCHERS else ""
        if launcher in LAUNCHERS and launcher != sweep.launch.launcher:
            launch |= {"launcher": launcher, "options": {}}  # those are the other one's
        self.dismiss(Asked(None if trials == sweep.wanted else trials, launch))


def whole(text: str) -> int:
    """Return a number of trials or workers; UserError where it is none."""
    try:
        number = int(text)
    except ValueError:
        raise UserError(f"{text.strip() or 'nothing'}: expected a whole number") from None
    if number < 1:
        raise UserError(f"{number}: expected 1 or more")
    return number


def _described(sweep: Sweep, base: dict[str, Any]) -> Text:
    search = sweep.search
    lines = [literal(sweep.notes)] if sweep.notes else []
    lines.append(
        Text.assemble(
            "preset ", literal(base.get("name", sweep.preset)), f", {search.sampler}, ",
            f"{search.metric}",
        )
    )  # fmt: skip
    for key, parameter in sweep.parameters.items():
        lines.append(Text.assemble((printable(key), "bold"), "  ", literal(_range(parameter))))
    return Text("\n").join(lines)


def _range(parameter: Parameter) -> str:
    if parameter.values is not None:
        names = parameter.names()
        more = f", … ({len(names)})" if len(names) > _MOST_VALUES else ""
        return ", ".join(names[:_MOST_VALUES]) + more
    low, high = name_of(parameter.low), name_of(parameter.high)
    step = f", step {name_of(parameter.step)}" if parameter.step else ""
    return f"{low} … {high}{', logarithmic' if parameter.log else ''}{step}"

"""The command line: ``cnn-tui``. Importing it costs no torch, so that --help is quick."""

import importlib.metadata
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cnn_core.errors import CnnTuiError
from cnn_tui.commands import catalogs, doctor, looking, runs, training
from cnn_tui.output import narrate


class _Group(TyperGroup):
    """Turns the program's own errors into one message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CnnTuiError as error:
            narrate(f"error: {error}")
            raise typer.Exit(error.exit_code) from error


app = typer.Typer(
    name="cnn-tui",
    cls=_Group,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"cnn-tui {importlib.metadata.version('cnn-tui')}\n")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Train, watch and compare CNN image classifiers from the terminal."""


_PANELS: dict[str, list[Callable[..., None]]] = {
    "Train": [training.run, training.resume, training.stop, training.pause, training.unpause],
    "Runs": [runs.runs, runs.show, runs.compare],
    "Choose": [
        catalogs.presets,
        catalogs.datasets,
        catalogs.backbones,
        looking.summary,
        looking.split,
    ],
    "Help": [doctor.doctor],
}
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)


def main() -> None:
    """Run the command line."""
    app()

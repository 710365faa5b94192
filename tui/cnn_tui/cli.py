"""The command line: ``cnn-tui``. Importing it costs no torch, so that --help is quick."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from cnn_core.errors import CnnTuiError, UserError, shortage
from cnn_tui.commands import (
    catalogs,
    doctor,
    evaluating,
    exporting,
    inside,
    looking,
    predicting,
    queue,
    reporting,
    reproducing,
    runs,
    serving,
    surface,
    sweeping,
    training,
    writing,
)
from cnn_tui.help_text import ExampleCommand, NarrowGroup, paragraphs
from cnn_tui.options import DataDir, Device, RunsDir
from cnn_tui.output import Narration, complain, has_terminal


class _Group(NarrowGroup):
    """Turns the program's own errors into one message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()  # not at the interpreter's end, which tells it in its own way
        except BrokenPipeError:
            raise  # `| head` has read enough: click ends quietly
        except (CnnTuiError, OSError, MemoryError, RuntimeError) as error:
            if (told := _told(error)) is None:
                raise
            complain(f"error: {told}")
            raise typer.Exit(getattr(error, "exit_code", CnnTuiError.exit_code)) from error
        finally:
            _drop_output()


def _told(error: Exception) -> str | None:
    """Return in a sentence what is wrong, or what the machine has too little of.

    None for a failure that nobody foresaw.
    """
    return str(error) if isinstance(error, CnnTuiError) else shortage(error, "the output")


def _drop_output() -> None:
    """Where the streams take no more, let the rest go nowhere: the interpreter's end would fail."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())


app = typer.Typer(
    name="cnn-tui",
    cls=_Group,
    invoke_without_command=True,
    add_completion=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        try:
            version = importlib.metadata.version("cnn-tui")
        except importlib.metadata.PackageNotFoundError:
            version = "(not installed, run from its source)"
        sys.stdout.write(f"cnn-tui {version}\n")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    runs_dir: RunsDir,
    data_dir: DataDir,
    device: Device = "auto",
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Train, watch and compare CNN image classifiers from the terminal.

    Without a command this opens the app.
    """
    if context.invoked_subcommand is not None:
        for parameter in ("runs_dir", "data_dir", "device"):
            source = context.get_parameter_source(parameter)
            if source is not None and source.name == "COMMANDLINE":
                option = f"--{parameter.replace('_', '-')}"
                raise UserError(
                    f"{option} belongs after the command: "
                    f"cnn-tui {context.invoked_subcommand} {option} …"
                )
        return
    if not has_terminal():
        sys.stdout.write(context.get_help() + "\n")
        return
    from cnn_tui.start import run_app

    raise typer.Exit(run_app(runs_dir, data_dir, device))


_PANELS: dict[str, list[Callable[..., None]]] = {
    "Train": [
        training.run,
        training.resume,
        training.stop,
        training.finish,
        training.pause,
        training.unpause,
        queue.queue,
    ],
    "Search": [sweeping.sweep, sweeping.sweeps, sweeping.trials, reproducing.reproduce],
    "Runs": [runs.runs, runs.show, runs.compare],
    "Look inside": [
        evaluating.evaluate,
        predicting.predict,
        inside.filters,
        inside.features,
        reporting.report,
        exporting.export,
    ],
    "Choose": [
        catalogs.presets,
        catalogs.datasets,
        catalogs.backbones,
        looking.summary,
        looking.split,
        looking.preview,
        writing.new,
        writing.check,
        writing.schema,
    ],
    "Learn": [surface.surface],
    "App": [serving.serve],
    "Help": [doctor.doctor],
}
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        app.command(cls=ExampleCommand, rich_help_panel=_panel, help=paragraphs(_command))(_command)


def _narration() -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(Narration(sys.stderr.fileno(), "w", closefd=False)), line_buffering=True
    )


def main() -> None:
    """Run the command line."""
    # Whoever starts us without standard streams (`>&-`) wants no output, not a crash.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = _narration() if sys.stderr else Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # JSON is UTF-8 whatever the locale; a class name from the disk may be no UTF-8 at all.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        app(prog_name="cnn-tui")
    except (MemoryError, OSError, RuntimeError) as error:  # before there is a command to invoke
        if (told := _told(error)) is None:
            raise
        os.write(2, f"error: {told}\n".encode(errors="backslashreplace"))
        sys.exit(CnnTuiError.exit_code)

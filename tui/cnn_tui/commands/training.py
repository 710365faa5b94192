"""run, resume, stop, finish, pause, unpause."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cnn_core.errors import UserError
from cnn_tui.options import (
    DataDir,
    Device,
    Json,
    LauncherName,
    LaunchSettings,
    PresetName,
    Quiet,
    RunName,
    RunsDir,
    Settings,
    Verbose,
    launch_options,
    places,
    set_loudness,
)
from cnn_tui.output import has_terminal, narrate, narrate_details, working
from cnn_tui.together import train_together

if TYPE_CHECKING:
    from cnn_tui.notify import Notifier
    from cnn_tui.sending import Destination

Headless = Annotated[
    bool, typer.Option("--headless", help="Train without the app, as without a terminal.")
]


def run(
    preset: PresetName,
    settings: Settings,
    runs_dir: RunsDir,
    data_dir: DataDir,
    device: Device = "auto",
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name of the run.")
    ] = None,
    tags: Annotated[
        list[str] | None,
        typer.Option("--tag", metavar="TAG", help="A word to find the run by; may be repeated."),
    ] = None,
    headless: Headless = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Train in the background; print the run's id.")
    ] = False,
    queue: Annotated[
        bool, typer.Option("--queue", help="Let it wait in the queue; print the run's id.")
    ] = False,
    launcher: LauncherName = None,
    options: LaunchSettings = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Train as a preset says, in the app or (--headless) without it.

    Headless, Ctrl-C stops with a checkpoint, from which `cnn-tui resume` goes on. With --launcher
    the run is sent there and its id printed; with --headless too, its end is waited for.
    """
    from cnn_core.preset_files import load_experiment
    from cnn_core.training.joining import launched
    from cnn_tui.notifying import notifier

    set_loudness(quiet=quiet, verbose=verbose)
    if queue and (detach or as_json):
        raise UserError("--queue only lets the run wait: give it without --detach and --json")
    telling = notifier()
    place = launched()
    if place is not None and (queue or detach or launcher):
        raise UserError("--queue, --detach and --launcher: not for a run that torchrun starts")
    if launcher and (queue or as_json):
        raise UserError("--launcher sends the run away: give it without --queue and --json")
    to = _destination(launcher, options, runs_dir, device)

    def begin(device: str | None = device) -> Path:
        experiment = load_experiment(preset, settings, name=name, tags=tags or ())
        with working("loading torch and looking for the data"):
            from cnn_core.runs.session import check_startable, new_run

            check_startable(experiment, data_dir, device)
            return new_run(runs_dir, experiment)

    if place is not None:
        train_together(place, begin, telling, data_dir=data_dir, device=device, as_json=as_json)
    # Another machine has other devices.
    run_dir = begin(device if to is None or to.here else None)
    if queue:
        from cnn_core.runs.queue import Queue

        Queue(runs_dir).add(run_dir.name)
        sys.stdout.write(f"{run_dir.name}\n")
        return
    if to is not None:
        sys.stdout.write(f"{run_dir.name}\n")
        sys.stdout.flush()
        _send(run_dir, to, data_dir, device, wait=headless)
        return
    if detach:
        from cnn_tui.background import start_in_background

        with working("starting in the background"):
            start_in_background(run_dir, data_dir=data_dir, device=device)
        sys.stdout.write(f"{run_dir.name}\n")
        return
    without_app = headless or as_json or quiet or verbose
    if not without_app and has_terminal():
        _show_in_app(run_dir, runs_dir, data_dir, device)
    _train(run_dir, telling, data_dir, device, as_json=as_json)


def resume(
    run: RunName,
    runs_dir: RunsDir,
    data_dir: DataDir,
    device: Device = "auto",
    headless: Headless = False,
    launcher: LauncherName = None,
    options: LaunchSettings = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Go on with a run that was stopped or interrupted, exactly where it ended.

    With --launcher it goes on there; with --headless too, its end is waited for.
    """
    from cnn_core.runs.directory import find_run
    from cnn_core.runs.resumable import check_resumable
    from cnn_core.training.joining import launched
    from cnn_tui.notifying import notifier

    set_loudness(quiet=quiet, verbose=verbose)
    telling = notifier()
    place = launched()
    if launcher and (as_json or place is not None):
        raise UserError(
            "--launcher sends the run away: give it without --json, and not for torchrun to start"
        )

    def begin(_device: str = device) -> Path:
        run_dir = find_run(runs_dir, run)
        check_resumable(run_dir)
        return run_dir

    if place is not None:
        train_together(place, begin, telling, data_dir=data_dir, device=device, as_json=as_json)
    run_dir = begin()
    if (to := _destination(launcher, options, runs_dir, device)) is not None:
        _send(run_dir, to, data_dir, device, wait=headless)
        return
    without_app = headless or as_json or quiet or verbose
    if not without_app and has_terminal():
        _show_in_app(run_dir, runs_dir, data_dir, device)
    _train(run_dir, telling, data_dir, device, as_json=as_json)


def stop(run: RunName, runs_dir: RunsDir) -> None:
    """Ask a live run to stop with a checkpoint."""
    _ask(runs_dir, run, "stop")


def finish(run: RunName, runs_dir: RunsDir) -> None:
    """Ask a live run to end its training now: validate, test, and be finished."""
    _ask(runs_dir, run, "finish")


def pause(run: RunName, runs_dir: RunsDir) -> None:
    """Ask a live run to wait, with a checkpoint."""
    _ask(runs_dir, run, "pause")


def unpause(run: RunName, runs_dir: RunsDir) -> None:
    """Let a paused run go on."""
    _ask(runs_dir, run, "unpause")


def _destination(
    launcher: str | None, options: list[str] | None, runs_dir: Path, device: str
) -> "Destination | None":
    """Return where to send a run, None where it is not to be sent; UserError for mistakes."""
    if launcher is None:
        if options:
            raise UserError("--option is for a launcher: give it with --launcher")
        return None
    from cnn_tui.sending import Destination

    to = Destination(launcher, launch_options(options))
    to.launcher_for(runs_dir, device)
    return to


def _send(run_dir: Path, to: "Destination", data_dir: Path, device: str, *, wait: bool) -> None:
    """Hand the run over; with ``wait``, wait for its end and exit with its code."""
    from cnn_tui.sending import attend, send

    if not wait:
        with working(f"sending it to {to.launcher}"):
            told = send(run_dir, to, data_dir=data_dir, device=device)
        narrate(told)
        return
    from cnn_tui.signals import asked_by_signals

    with asked_by_signals() as asked:
        code = attend(run_dir, to, asked, data_dir=data_dir, device=device)
    raise typer.Exit(code if code >= 0 else 128 - code)


def _ask(runs_dir: Path, reference: str, kind: str) -> None:
    from cnn_core.runs.directory import find_run
    from cnn_core.runs.requests import send_request

    run_dir = find_run(runs_dir, reference)
    send_request(run_dir, kind)
    narrate(f"asked {run_dir.name} to {kind}")


def _show_in_app(run_dir: Path, runs_dir: Path, data_dir: Path, device: str) -> NoReturn:
    """Train a run directory in the app, which opens with it."""
    from cnn_tui.start import run_app

    raise typer.Exit(run_app(runs_dir, data_dir, device, first=run_dir))


def _train(
    run_dir: Path, telling: "Notifier", data_dir: Path, device: str, *, as_json: bool
) -> NoReturn:
    """Train a run directory in this process, show it, and exit with its code."""
    with telling:
        code = _trained(run_dir, telling, data_dir, device, as_json=as_json)
    raise typer.Exit(code)


def _trained(
    run_dir: Path, telling: "Notifier", data_dir: Path, device: str, *, as_json: bool
) -> int:
    with working("loading torch"):
        import cnn_core.runs.session  # noqa: F401  (before the signals mean a checkpoint)
        from cnn_core.training.control import Control
        from cnn_tui import headless

    narrate_details(places(run_dir.parent, data_dir))
    control = Control()
    try:
        with headless.stopping_on_signals(control):
            finished = headless.train(
                run_dir,
                control,
                notifier=telling,
                data_dir=data_dir,
                device=device,
                as_json=as_json,
            )
    except KeyboardInterrupt:
        headless.narrate_abortion(run_dir)
        return headless.EXIT_CODES["stopped"]
    if not as_json:
        headless.show_result(run_dir, finished)
    return headless.exit_code(finished)

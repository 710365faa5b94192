"""sweep, sweeps, trials: many runs of one preset."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnn_core.errors import printable
from cnn_core.locations import cache_dir
from cnn_tui import completion
from cnn_tui.options import (
    DataDir,
    Device,
    Json,
    LauncherName,
    LaunchSettings,
    Quiet,
    RunsDir,
    Verbose,
    launch_options,
    places,
    set_loudness,
)
from cnn_tui.output import (
    complain,
    narrate,
    narrate_beginning,
    narrate_details,
    print_json,
    print_table,
    working,
)

if TYPE_CHECKING:
    from cnn_core.search.folder import SweepFolder
    from cnn_core.search.results import SweepReader, SweepResults
    from cnn_core.search.sweep_config import Sweep
    from cnn_tui.notify import Notifier

SweepName = Annotated[
    str,
    typer.Argument(
        metavar="SWEEP",
        autocompletion=completion.sweeps,
        help="A sweep file, the name of a shipped one, or of one that has begun.",
        show_default=False,
    ),
]


def sweep(
    name: SweepName,
    runs_dir: RunsDir,
    data_dir: DataDir,
    launcher: LauncherName = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Trials in training at once."),
    ] = None,
    options: LaunchSettings = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", metavar="N", min=1, help="Number of trials, also to extend it."),
    ] = None,
    device: Device = "auto",
    detach: Annotated[
        bool, typer.Option("--detach", help="In the background; print the sweep's name.")
    ] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="Stop it, wherever it runs, with checkpoints.")
    ] = False,
    worker: Annotated[bool, typer.Option("--worker", hidden=True)] = False,
    _headless: Annotated[bool, typer.Option("--headless", hidden=True)] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Search values of a preset's keys: begin a sweep, go on with it, or extend it.

    Ctrl-C stops its trials with checkpoints; the same command goes on. Several such commands, on
    several machines, share the trials.
    """
    from cnn_core.search.folder import begin_sweep, open_sweep
    from cnn_tui.notifying import notifier

    set_loudness(quiet=quiet, verbose=verbose)
    if worker:
        _work(open_sweep(runs_dir, name), data_dir, device)
    if stop:
        open_sweep(runs_dir, name).request_stop()
        narrate(f"asked {printable(name)} to stop")
        return
    telling = notifier()
    launch = {"launcher": launcher, "workers": workers, "options": launch_options(options)}
    given = {key: value for key, value in launch.items() if value}

    def check(sweep: "Sweep", base: dict[str, Any]) -> None:
        _check(sweep, base, data_dir, device)

    folder = begin_sweep(runs_dir, name, trials=trials, launch=given, check=check)
    from cnn_core.search.results import SweepReader
    from cnn_tui.sweep_tables import show

    reader = SweepReader(folder)
    results = reader.read()
    if results.ended == results.wanted and "failed" not in results.counts():
        narrate("all trials have ended; --trials N adds some")
        show(reader, results, as_json=as_json)
        return
    if detach:
        _detach(folder, data_dir, device)
        return
    narrate_details(places(runs_dir, data_dir))
    with telling:
        code = _drive(reader, telling, data_dir, device, as_json=as_json)
    raise typer.Exit(code)


def sweeps(
    runs_dir: RunsDir,
    shipped: Annotated[
        bool, typer.Option("--shipped", help="Those that come with the program instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the sweeps that have begun, or those that come with the program."""
    from cnn_core.search.begun import sweep_names
    from cnn_core.search.folder import open_sweep

    if shipped:
        _list_shipped(as_json=as_json)
        return
    names = sweep_names(runs_dir)
    if not names and not as_json:
        narrate(
            "no sweep has begun; cnn-tui sweep FILE begins one, cnn-tui sweeps --shipped lists some"
        )
        return
    from cnn_core.search.results import SweepReader
    from cnn_tui.sweep_tables import figure

    rows = []
    for name in names:
        reader = SweepReader(open_sweep(runs_dir, name))
        rows.append(_brief(reader, reader.read()))
    if as_json:
        print_json(rows)
        return
    print_table(
        ["sweep", "preset keys", "sampler", "trials", "ended", "metric", "best", "run"],
        [
            [
                row["name"],
                ", ".join(row["parameters"]),
                row["sampler"],
                str(row["wanted"]),
                str(row["ended"]),
                row["metric"],
                figure(row["best"]),
                row["run"],
            ]
            for row in rows
        ],
        right=["trials", "ended", "best"],
        fold=["preset keys", "run"],
    )


def _list_shipped(*, as_json: bool) -> None:
    from cnn_core.search.sweep_files import load_sweep, shipped_sweeps

    found = {path: load_sweep(path)[0] for path in shipped_sweeps().values()}
    rows = [
        {
            "name": sweep.name,
            "preset": sweep.preset,
            "parameters": list(sweep.parameters),
            "sampler": sweep.search.sampler,
            "trials": sweep.wanted,
            "notes": sweep.notes,
            "path": str(path),
        }
        for path, sweep in found.items()
    ]
    if as_json:
        print_json(rows)
        return
    columns = ["name", "trials", "notes"]
    cells = [[str(row[column]) for column in columns] for row in rows]
    print_table(columns, cells, right=["trials"], fold=["notes"])
    narrate_beginning(next(iter(found)))


def trials(name: SweepName, runs_dir: RunsDir, as_json: Json = False) -> None:
    """Show the trials of a sweep, the best of them, and which keys matter."""
    from cnn_core.search.folder import open_sweep

    folder = open_sweep(runs_dir, name)
    from cnn_core.search.results import SweepReader
    from cnn_tui.sweep_tables import print_document, print_result, print_trials

    reader = SweepReader(folder)
    if as_json:
        print_document(reader)
        return
    results = reader.read()
    print_trials(reader, results)
    sys.stdout.write("\n")
    print_result(reader, results)


def _work(folder: "SweepFolder", data_dir: Path, device: str) -> None:
    """Train trials in this process until none is left, and exit."""
    import signal

    from cnn_core.launch.parent import end_with_parent
    from cnn_core.search.worker import TrialBegan, Worker
    from cnn_tui.signals import STOPPING, handling

    made = Worker(folder, data_dir=data_dir, cache_dir=cache_dir(), device=device)

    def ask(number: int, _frame: Any) -> None:
        if made.stopping and number == signal.SIGINT:
            raise KeyboardInterrupt
        made.stop()

    with handling(dict.fromkeys(STOPPING, ask)):
        end_with_parent()
        for told in made.work():
            about = f"trial {told.index + 1} ({told.run})"
            if isinstance(told, TrialBegan):
                values = ", ".join(f"{key} = {value}" for key, value in told.settings.items())
                narrate(f"{about}: {values}")
            else:
                narrate(
                    f"{about}: {told.outcome or 'left'}{f': {told.error}' if told.error else ''}"
                )
    raise typer.Exit(130 if made.stopping else 0)


def _check(sweep: "Sweep", base: dict[str, Any], data_dir: Path, device: str) -> None:
    """Raise the UserError that every trial would end with."""
    from cnn_tui.sweep_starts import check_sweep

    with working("loading torch and looking for the data"):
        check_sweep(sweep, base, data_dir, device)


def _drive(
    reader: "SweepReader", telling: "Notifier", data_dir: Path, device: str, *, as_json: bool
) -> int:
    """Start workers and show what they do, until they have ended; return the exit code."""
    from cnn_core.launch.choose import make_launcher
    from cnn_core.search.drive import Drive
    from cnn_tui.ending import ending_of_sweep
    from cnn_tui.sweep_display import follow
    from cnn_tui.sweep_tables import show

    folder = reader.folder
    launch = folder.sweep.launch
    reader.study.try_failed_again()
    launcher = make_launcher(
        launch.launcher,
        workers=launch.workers,
        device=device,
        options=launch.options,
        folder=folder.path,
    )
    with launcher:
        drive = Drive(folder, launcher, data_dir=data_dir, device=device)
        results = follow(drive, reader)
    show(reader, results, as_json=as_json)
    code = 1 if drive.given_up or "failed" in results.counts() else 0
    if drive.given_up:
        complain(f"error: {printable(drive.given_up)}")
    elif results.ended < results.wanted:
        narrate("to go on from here:", command=f"cnn-tui sweep {folder.sweep.name}")
        code = 130 if drive.stopping else 1
    status = {0: "finished", 1: "failed", 130: "stopped"}[code]
    telling.ended(ending_of_sweep(folder, results, status, drive.given_up))
    return code


def _detach(folder: "SweepFolder", data_dir: Path, device: str) -> None:
    from cnn_tui.sweep_starts import drive_in_background

    drive_in_background(folder, data_dir, device)
    sys.stdout.write(f"{folder.sweep.name}\n")


def _brief(reader: "SweepReader", results: "SweepResults") -> dict[str, Any]:
    sweep = reader.folder.sweep
    return {
        "name": sweep.name,
        "parameters": list(sweep.parameters),
        "sampler": sweep.search.sampler,
        "wanted": results.wanted,
        "ended": results.ended,
        "counts": results.counts(),
        "metric": sweep.search.metric,
        "best": results.best.value if results.best else None,
        "run": results.best.run if results.best else None,
    }

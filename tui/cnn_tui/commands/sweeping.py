"""sweep, sweeps, trials: many runs of one preset."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cnn_core.errors import UserError, printable
from cnn_core.locations import cache_dir
from cnn_tui.commands.runs import STATUS_STYLES
from cnn_tui.options import DataDir, Device, Json, RunsDir, one_of
from cnn_tui.output import narrate, print_facts, print_json, print_table, seconds, working

if TYPE_CHECKING:
    from cnn_core.search.folder import SweepFolder
    from cnn_core.search.results import SweepReader, SweepResults

SweepName = Annotated[
    str,
    typer.Argument(
        metavar="SWEEP",
        help="A sweep file, the name of a shipped one, or of one that has begun.",
        show_default=False,
    ),
]


def sweep(
    name: SweepName,
    runs_dir: RunsDir,
    data_dir: DataDir,
    launcher: Annotated[
        str | None,
        typer.Option(
            "--launcher",
            metavar="local|ray|slurm",
            parser=one_of("--launcher", "local", "ray", "slurm"),
            help="Where trials are trained.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Trials in training at once."),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--option", metavar="KEY=VALUE", help="Option of the launcher; may be repeated."
        ),
    ] = None,
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
    as_json: Json = False,
) -> None:
    """Search values of a preset's keys: begin a sweep, go on with it, or extend it.

    Ctrl-C stops its trials with checkpoints; the same command goes on. Several such commands, on
    several machines, share the trials.
    """
    from cnn_core.search.folder import begin_sweep, open_sweep

    if worker:
        _work(open_sweep(runs_dir, name), data_dir, device)
    if stop:
        open_sweep(runs_dir, name).request_stop()
        narrate(f"asked {printable(name)} to stop")
        return
    launch = {"launcher": launcher, "workers": workers, "options": _parsed(options)}
    given = {key: value for key, value in launch.items() if value}
    folder = begin_sweep(runs_dir, name, trials=trials, launch=given)
    _check(folder, data_dir, device)
    if detach:
        _detach(folder, data_dir, device)
        return
    _drive(folder, data_dir, device, as_json=as_json)


def sweeps(runs_dir: RunsDir, as_json: Json = False) -> None:
    """List the sweeps that have begun."""
    from cnn_core.search.folder import open_sweep, sweep_names

    names = sweep_names(runs_dir)
    if not names and not as_json:
        narrate("no sweep has begun; cnn-tui sweep FILE begins one")
        return
    from cnn_core.search.results import SweepReader

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
                _figure(row["best"]),
                row["run"],
            ]
            for row in rows
        ],
        right=["trials", "ended", "best"],
        fold=["preset keys", "run"],
    )


def trials(name: SweepName, runs_dir: RunsDir, as_json: Json = False) -> None:
    """Show the trials of a sweep, the best of them, and which keys matter."""
    from cnn_core.search.folder import open_sweep

    folder = open_sweep(runs_dir, name)
    from cnn_core.search.results import SweepReader

    reader = SweepReader(folder)
    if as_json:
        _print_document(reader)
        return
    results = reader.read()
    _print_trials(reader, results)
    sys.stdout.write("\n")
    _print_result(reader, results)


def _work(folder: "SweepFolder", data_dir: Path, device: str) -> None:
    """Train trials in this process until none is left, and exit."""
    import signal

    from cnn_core.launch.parent import end_with_parent
    from cnn_core.search.worker import TrialBegan, Worker
    from cnn_tui.signals import handling

    made = Worker(folder, data_dir=data_dir, cache_dir=cache_dir(), device=device)

    def ask(_number: int, _frame: Any) -> None:
        if made.stopping:
            raise KeyboardInterrupt
        made.stop()

    with handling({signal.SIGINT: ask, signal.SIGTERM: ask}):
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


def _check(folder: "SweepFolder", data_dir: Path, device: str) -> None:
    """Raise the UserError that every trial would end with."""
    from cnn_core.search.sweep_files import experiment_of

    sweep = folder.sweep
    settings = dict(sweep.set)
    settings |= {key: parameter.examples()[0] for key, parameter in sweep.parameters.items()}
    experiment = experiment_of(folder.base, settings, name=sweep.name, tag=sweep.name)
    with working("loading torch and looking for the data"):
        from cnn_core.runs.session import check_startable

        check_startable(experiment, data_dir, device)


def _drive(folder: "SweepFolder", data_dir: Path, device: str, *, as_json: bool) -> None:
    """Start workers and show what they do, until they have ended; exit with the code."""
    from cnn_core.launch.choose import make_launcher
    from cnn_core.search.drive import Drive
    from cnn_core.search.results import SweepReader
    from cnn_tui.sweep_display import follow

    launch = folder.sweep.launch
    reader = SweepReader(folder)
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
    if as_json:
        _print_document(reader)
    else:
        _print_result(reader, results)
    if drive.given_up:
        narrate(f"error: {printable(drive.given_up)}")
        raise typer.Exit(1)
    if results.ended < results.wanted:
        narrate("to go on from here:", command=f"cnn-tui sweep {folder.sweep.name}")
        raise typer.Exit(130 if drive.stopping else 1)
    raise typer.Exit(1 if "failed" in results.counts() else 0)


def _detach(folder: "SweepFolder", data_dir: Path, device: str) -> None:
    from cnn_tui.background import spawn

    spawn(
        ["sweep", folder.sweep.name, "--runs-dir", str(folder.runs_dir.absolute())],
        folder.log,
        data_dir=data_dir,
        device=device,
    )
    sys.stdout.write(f"{folder.sweep.name}\n")


def _parsed(options: list[str] | None) -> dict[str, Any]:
    """Return launcher options as values: numbers and true are what TOML takes them for."""
    from cnn_core.preset_files import option_value

    parsed = {}
    for option in options or ():
        key, equals, value = option.partition("=")
        if not equals or not key.strip():
            raise UserError(f"--option {printable(option)}: expected KEY=VALUE")
        parsed[key.strip()] = option_value(value)
    return parsed


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


def _print_document(reader: "SweepReader") -> None:
    from cnn_core.search.results import document

    print_json(document(reader))


def _print_trials(reader: "SweepReader", results: "SweepResults") -> None:
    from cnn_core.search.sweep_config import name_of

    keys = list(reader.folder.sweep.parameters)
    metric = reader.folder.sweep.search.metric
    print_table(
        ["#", *keys, "status", "epoch", metric, "time", "run"],
        [
            [
                str(trial.number),
                *(name_of(trial.params[key]) if key in trial.params else None for key in keys),
                Text(trial.status, style=STATUS_STYLES.get(trial.status, "")),
                f"{trial.row['epoch']}/{trial.row['epochs']}" if trial.row else None,
                _figure(trial.value),
                seconds(trial.row["timing"]["total_s"]) if trial.row else None,
                trial.run,
            ]
            for trial in results.trials
        ],
        right=["#", *keys, "epoch", metric, "time"],
        fold=["run"],
    )


def _print_result(reader: "SweepReader", results: "SweepResults") -> None:
    from cnn_core.search.sweep_config import name_of

    counts = [f"{count} {status}" for status, count in results.counts().items()]
    facts = [
        ("sweep", reader.folder.sweep.name),
        ("trials", f"{', '.join(counts) or 'none'} of {results.wanted}"),
    ]
    if best := results.best:
        metric = reader.folder.sweep.search.metric
        values = ", ".join(f"{key} = {name_of(value)}" for key, value in best.params.items())
        facts += [
            ("best", f"trial {best.number}: {metric} {_figure(best.value)}"),
            ("with", values),
            ("run", str(best.run)),
        ]
    if shares := reader.importance():
        facts.append(("matters", ", ".join(f"{key} {share:.0%}" for key, share in shares.items())))
    failed = [trial for trial in results.trials if trial.status == "failed"]
    if failed:
        facts.append(("failed", f"trial {failed[0].number}: {failed[0].error}"))
    print_facts(facts)


def _figure(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"

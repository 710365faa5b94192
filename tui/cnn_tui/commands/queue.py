"""queue: the runs that wait for their turn."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from cnn_core.errors import CnnTuiError, UserError
from cnn_core.locations import cache_dir
from cnn_tui.commands.runs import STATUS_STYLES
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
    narrate_details,
    print_facts,
    print_json,
    print_table,
    working,
)

if TYPE_CHECKING:
    from cnn_core.launch.jobs import Launcher
    from cnn_core.runs.queue import Queue
    from cnn_core.training.control import Control
    from cnn_tui.notify import Notifier


def queue(
    runs_dir: RunsDir,
    data_dir: DataDir,
    device: Device = "auto",
    train: Annotated[
        bool, typer.Option("--train", help="Train them one after another until none waits.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="With --train: in the background.")] = (
        False
    ),
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            help="With --train: N at a time, each in a process of its own; one for each GPU.",
            show_default=False,
        ),
    ] = None,
    launcher: LauncherName = None,
    options: LaunchSettings = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    _headless: Annotated[
        bool, typer.Option("--headless", help="Without the app, as --train always is.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the runs that wait, the next one first, or train them.

    `cnn-tui run PRESET --queue` adds one. Ctrl-C stops what is in training with a checkpoint and
    leaves the others waiting; a run that fails does not keep them from theirs.
    """
    from cnn_core.runs.queue import Queue
    from cnn_tui.notifying import notifier

    set_loudness(quiet=quiet, verbose=verbose)
    if detach and not train:
        raise UserError("--detach trains in the background: give it with --train")
    if (workers or launcher or options) and not train:
        raise UserError("--workers, --launcher and --option say how to train: give --train too")
    if options and not launcher:
        raise UserError("--option is for a launcher: give it with --launcher")
    if train and as_json:
        raise UserError("--json lists the queue; it does not go with --train")
    waiting = Queue(runs_dir)
    if not train:
        _list(waiting, runs_dir, as_json=as_json)
        return
    telling = notifier()
    hold = waiting.try_hold()  # which puts back what one that was killed had taken
    if not waiting.ids():
        if hold is not None:
            hold.release()
        narrate("no run waits")
        return
    if hold is None:
        raise UserError(f"another process trains the queue of {runs_dir}")
    try:
        launching = _launching(workers, launcher, options, runs_dir, device)
        if detach:
            code = None
        elif launching is None:
            with telling:
                code = _train(waiting, telling, runs_dir, data_dir, device)
        else:
            from cnn_tui.queue_slots import QueueSlots

            with launching as made:
                name = launcher or "local"
                code = QueueSlots(waiting, runs_dir, made, name, (data_dir, device)).train()
    finally:
        hold.release()
    if code is None:
        _detach(waiting, runs_dir, data_dir, device, workers, launcher, options)
    else:
        raise typer.Exit(code)


def _launching(
    workers: int | None,
    name: str | None,
    options: list[str] | None,
    runs_dir: Path,
    device: str,
) -> "Launcher | None":
    """Return what trains several runs at a time, None where this process does, one by one."""
    from cnn_core.launch.choose import make_launcher
    from cnn_core.launch.local import visible_gpus

    several = device in ("auto", "cuda") and len(visible_gpus()) > 1
    if workers is None and name is None and not several:
        return None
    given = launch_options(options)
    return make_launcher(
        name or "local", workers=workers, device=device, options=given, folder=runs_dir
    )


def _list(waiting: "Queue", runs_dir: Path, *, as_json: bool) -> None:
    from cnn_core.runs.index import run_rows

    known = {row["id"]: row for row in run_rows(runs_dir)}
    rows = [known[run_id] for run_id in waiting.ids() if run_id in known]
    if as_json:
        print_json(rows)
        return
    if not rows:
        narrate("no run waits; cnn-tui run PRESET --queue adds one")
        return
    cells = [
        [
            str(place),
            row["id"],
            Text(row["status"], style=STATUS_STYLES[row["status"]]),
            f"{row['epoch']}/{row['epochs']}",
            row["dataset"],
            row["backbone"],
        ]
        for place, row in enumerate(rows, 1)
    ]
    columns = ["#", "run", "status", "epoch", "dataset", "backbone"]
    print_table(columns, cells, right=["#", "epoch"], fold=["run"])


def _detach(
    waiting: "Queue",
    runs_dir: Path,
    data_dir: Path,
    device: str,
    workers: int | None,
    launcher: str | None,
    options: list[str] | None,
) -> None:
    from cnn_tui.background import train_queue_in_background
    from cnn_tui.workplace import Workplace

    place = Workplace(runs_dir.absolute(), data_dir.absolute(), cache_dir(), device)
    how = ["--workers", str(workers)] if workers else []
    how += ["--launcher", launcher] if launcher else []
    how += [part for option in options or () for part in ("--option", option)]
    with working("starting in the background"):
        train_queue_in_background(place, waiting, first=None, how=how)
    narrate("the runs that wait are trained in the background")


def _train(
    waiting: "Queue", telling: "Notifier", runs_dir: Path, data_dir: Path, device: str
) -> int:
    """Train until none waits or a signal asks to stop; return the exit code."""
    with working("loading torch"):
        import cnn_core.runs.session  # noqa: F401  (before the first run is taken)
        from cnn_core.training.control import Control
        from cnn_tui import headless
        from cnn_tui.queue_slots import waiting_text

    narrate_details(places(runs_dir, data_dir))
    code = 0
    while True:
        control = Control()
        with headless.stopping_on_signals(control) as signalled:
            run_id = waiting.take()
            if run_id is None:
                return code
            narrate(f"training {run_id}; {waiting_text(waiting)} after it")
            code = _train_one(runs_dir / run_id, control, telling, data_dir, device) or code
        if signalled.is_set():
            narrate(f"{waiting_text(waiting)} still")
            return headless.EXIT_CODES["stopped"]


def _train_one(
    run_dir: Path, control: "Control", telling: "Notifier", data_dir: Path, device: str
) -> int:
    """Train one run and show how it ended; return 1 if it failed, 0 otherwise."""
    from cnn_core.runs.reader import read_summary
    from cnn_tui import headless
    from cnn_tui.wording import result_rows

    try:
        finished = headless.train(
            run_dir, control, notifier=telling, data_dir=data_dir, device=device
        )
    except KeyboardInterrupt:
        headless.narrate_abortion(run_dir)
        raise typer.Exit(headless.EXIT_CODES["stopped"]) from None
    except BrokenPipeError:
        raise
    except (CnnTuiError, OSError) as error:  # it could not even begin, or could not be written
        complain(f"error: {error}")
        return 1
    print_facts(result_rows(read_summary(run_dir), str(run_dir)))
    sys.stdout.write("\n")
    return int(finished.status in ("failed", "diverged"))

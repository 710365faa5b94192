"""Sweeps that this app starts: each is driven by a process of its own, which outlives the app."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_core.errors import UserError, printable
from cnn_tui.background import spawn
from cnn_tui.workplace import Workplace

if TYPE_CHECKING:
    from cnn_core.search.folder import SweepFolder
    from cnn_core.search.sweep_config import Sweep

_STOPPED = 130


def check_sweep(sweep: "Sweep", base: dict[str, Any], data_dir: Path, device: str) -> None:
    """Raise the UserError that every trial would end with; loads torch."""
    from cnn_core.runs.session import check_startable
    from cnn_core.search.sweep_files import experiment_of

    settings = dict(sweep.set)
    settings |= {key: parameter.examples()[0] for key, parameter in sweep.parameters.items()}
    experiment = experiment_of(base, settings, name=sweep.name, tag=sweep.name)
    check_startable(experiment, data_dir, device)


def drive_in_background(
    folder: "SweepFolder", data_dir: Path, device: str
) -> "subprocess.Popen[bytes]":
    """Start the process that drives the sweep, its output in the sweep's log."""
    return spawn(
        ["sweep", folder.sweep.name, "--runs-dir", str(folder.runs_dir.absolute())],
        folder.log,
        data_dir=data_dir,
        device=device,
    )


class SweepStarts:
    """The processes started here, to tell that they are on their way and how they ended."""

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._processes: dict[str, tuple[SweepFolder, subprocess.Popen[bytes]]] = {}

    def start(
        self, reference: str, *, trials: int | None = None, launch: dict[str, Any] | None = None
    ) -> "SweepFolder":
        """Begin a sweep, or go on with it; takes as long as torch needs to load.

        ``reference`` is a file, the name of a shipped sweep or of one that has begun. Raises
        UserError where the sweep can't be, or every trial would fail.
        """
        from cnn_core.search.folder import begin_sweep

        place = self._workplace

        def check(sweep: "Sweep", base: dict[str, Any]) -> None:
            if self.alive(sweep.name):
                raise UserError(f"sweep {sweep.name}: it is being started already")
            check_sweep(sweep, base, place.data_dir, place.device)

        folder = begin_sweep(
            place.runs_dir, reference, trials=trials, launch=launch or {}, check=check
        )
        process = drive_in_background(folder, place.data_dir, place.device)
        self._processes[folder.sweep.name] = folder, process
        return folder

    def alive(self, name: str) -> bool:
        """Return whether a process that was started here drives the sweep."""
        return name in self._processes and self._processes[name][1].poll() is None

    def stop(self, folder: "SweepFolder", *, trained: bool) -> None:
        """Stop the sweep with checkpoints, whoever trains it.

        ``trained`` is whether some process trains a trial by now: one that has only been started
        here would take the request for an older one.
        """
        name = folder.sweep.name
        if not trained and self.alive(name):
            self._processes[name][1].terminate()
        else:
            folder.request_stop()

    def take_errors(self) -> list[str]:
        """Return how processes ended that did not do their work, once."""
        errors = []
        for name, (folder, process) in list(self._processes.items()):
            code = process.poll()
            if code is None:
                continue
            del self._processes[name]
            if code not in (0, _STOPPED, -15):
                errors.append(f"sweep {name}: {_last_words(folder.log)}")
        return errors


def _last_words(log: Path) -> str:
    """Return the error that a process has logged last, or where to look."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 4096))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        lines = []
    told = [line for line in lines if line.startswith(("error:", "failed"))]
    return f"{printable(told[-1]) if told else 'its process has ended'}; o on it shows the log"

"""Sweeps that this app starts: each is driven by a process of its own, which outlives the app."""

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cnn_core.errors import UserError, printable
from cnn_core.regular_files import open_regular
from cnn_tui.background import spawn
from cnn_tui.workplace import Workplace

if TYPE_CHECKING:
    from cnn_core.search.folder import SweepFolder
    from cnn_core.search.sweep_config import Sweep

Phase = Literal["starting", "stopping"]

_STOPPED = 130


def check_sweep(sweep: "Sweep", base: dict[str, Any], data_dir: Path, device: str) -> None:
    """Raise the UserError that every trial would end with; loads torch."""
    from cnn_core.runs.session import check_startable
    from cnn_core.search.sweep_files import experiment_of

    settings = dict(sweep.set)
    settings |= {key: parameter.examples()[0] for key, parameter in sweep.parameters.items()}
    experiment = experiment_of(base, settings, name=sweep.name, tags=[sweep.name])
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
        self._started: dict[str, _Started] = {}

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
        before = folder.log.stat().st_size if folder.log.exists() else 0
        process = drive_in_background(folder, place.data_dir, place.device)
        self._started[folder.sweep.name] = _Started(process, folder.log, before)
        return folder

    def alive(self, name: str) -> bool:
        """Return whether a process that was started here drives the sweep."""
        return self.phase(name) is not None

    def phase(self, name: str) -> Phase | None:
        """Return what the process that was started here was told last, None if there is none."""
        started = self._started.get(name)
        if started is None or started.process.poll() is not None:
            return None
        return "stopping" if started.stopping else "starting"

    def stop(self, folder: "SweepFolder", *, trained: bool) -> None:
        """Stop the sweep with checkpoints, whoever trains it.

        ``trained`` is whether some process trains a trial by now: one that has only been started
        here would take the request for an older one.
        """
        name = folder.sweep.name
        started = self._started.get(name) if self.alive(name) else None
        if started is not None:
            started.stopping = True
        if started is not None and not trained:
            started.process.terminate()
        else:
            folder.request_stop()

    def take_errors(self) -> list[str]:
        """Return how processes ended that did not do their work, once."""
        errors = []
        for name, started in list(self._started.items()):
            code = started.process.poll()
            if code is None:
                continue
            del self._started[name]
            if code not in (0, _STOPPED, -signal.SIGTERM):
                errors.append(f"sweep {name}: {_last_words(started.log, started.logged)}")
        return errors


@dataclass(slots=True)
class _Started:
    process: "subprocess.Popen[bytes]"
    log: Path
    logged: int
    """Bytes that were in the log before."""
    stopping: bool = False


def _last_words(log: Path, since: int) -> str:
    """Return the error that a process has logged last, or where to look."""
    try:
        with open_regular(log) as file:
            file.seek(max(since, file.seek(0, 2) - 4096))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        lines = []
    told = [line for line in lines if line.startswith(("error:", "failed"))]
    return f"{printable(told[-1]) if told else 'its process has ended'}; o on it shows the log"

"""A run sent to a launcher: a process of its own here, a Ray cluster, SLURM."""

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from cnn_core.errors import UserError, printable
from cnn_core.flag import Flag
from cnn_core.launch.choose import make_launcher
from cnn_core.launch.jobs import Job, Launcher, LaunchOptions, Running
from cnn_core.launch.parent import end_with_parent
from cnn_core.runs.log import LOG, append_log
from cnn_core.runs.queue import Queue
from cnn_tui.background import spawn, start_in_background

_STEP_S = 0.1
_SENT = "sent to"


@dataclass(frozen=True, slots=True)
class Destination:
    """A launcher and its options."""

    launcher: str
    options: LaunchOptions = field(default_factory=dict)

    @property
    def here(self) -> bool:
        """Whether runs are trained on this machine for certain."""
        return self.launcher == "local"

    def launcher_for(self, folder: Path, device: str, workers: int | None = 1) -> Launcher:
        """Return the launcher, which has reached for nothing yet; UserError as it raises it."""
        return make_launcher(
            self.launcher, workers=workers, device=device, options=self.options, folder=folder
        )


def job_of(run_dir: Path, *, data_dir: Path, device: str) -> Job:
    """Return the job that trains a run, or goes on with it; what it prints is in the run's log."""
    return Job(
        run_dir.name,
        (
            *("resume", str(run_dir.resolve()), "--headless"),
            *("--data-dir", str(data_dir.resolve()), "--device", device),
        ),
        run_dir.resolve() / LOG,
    )


def start_job(launcher: Launcher, name: str, run_dir: Path, job: Job) -> Running:
    """Start a run's job and write its launcher's name for it into the run's log."""
    (running,) = launcher.start([job])
    append_log(run_dir, f"{_SENT} {name}: {running.id}")
    return running


def send(run_dir: Path, to: Destination, *, data_dir: Path, device: str) -> str:
    """Hand a run over and return what to tell of it; it waits in no queue of ours any more.

    Raises UserError where that fails. SLURM's jobs live by themselves; others have a process in
    the background that waits for their end.
    """
    launcher = to.launcher_for(run_dir, device)
    if to.here:
        start_in_background(run_dir, data_dir=data_dir, device=device)
        return "trains in the background"
    if to.launcher == "slurm" and to.options.get("cluster", "slurm") == "slurm":
        with launcher:
            job = job_of(run_dir, data_dir=data_dir, device=device)
            running = start_job(launcher, to.launcher, run_dir, job)
        Queue(run_dir.parent).discard(run_dir.name)
        return f"{_SENT} {to.launcher}: {running.id}"
    return _send_in_background(run_dir, to, data_dir=data_dir, device=device)


def attend(run_dir: Path, to: Destination, asked: Flag, *, data_dir: Path, device: str) -> int:
    """Hand a run over, wait for its end, and return its exit code.

    Each time that ``asked`` is set, the run is asked to end: with a checkpoint, then at once.
    """
    end_with_parent()
    with to.launcher_for(run_dir, device) as launcher:
        job = job_of(run_dir, data_dir=data_dir, device=device)
        running = start_job(launcher, to.launcher, run_dir, job)
        Queue(run_dir.parent).discard(run_dir.name)
        while (code := running.poll()) is None:
            if asked.wait(_STEP_S):
                asked.clear()
                running.stop()
    return code


def _send_in_background(run_dir: Path, to: Destination, *, data_dir: Path, device: str) -> str:
    log = run_dir / LOG
    before = log.stat().st_size if log.exists() else 0
    options = [part for item in to.options.items() for part in ("--option", _option(*item))]
    command = ["resume", str(run_dir.resolve()), "--launcher", to.launcher, *options]
    process = spawn(command, log, data_dir=data_dir, device=device)
    while True:
        ended = process.poll() is not None
        told = log.read_text(encoding="utf-8", errors="replace")[before:].splitlines()
        sent = [line for line in told if f" {_SENT} {to.launcher}: " in line]
        if sent:
            return sent[0][sent[0].index(_SENT) :]
        if ended:
            raise UserError(_why_not(process, told, log))
        time.sleep(_STEP_S)


def _why_not(process: "subprocess.Popen[bytes]", told: list[str], log: Path) -> str:
    errors = [line for line in told if line.startswith("error: ")]
    if errors:
        return printable(errors[-1].removeprefix("error: "))
    return f"it ended at once, with exit code {process.returncode}; {printable(log)} says why"


def _option(name: str, value: object) -> str:
    import tomli_w

    return tomli_w.dumps({name: value}).strip().replace(f"{name} = ", f"{name}=", 1)

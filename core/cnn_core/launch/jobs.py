"""What is launched, what it may use, and what launches it."""

import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

# Options of one launcher, such as a SLURM partition or the address of a Ray cluster.
LaunchOptions = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """A command that trains: it ends by itself, and on SIGTERM with a checkpoint."""

    name: str
    arguments: tuple[str, ...]
    """Of this program, after its name; paths in it are absolute."""
    log: Path
    """Takes what the command prints; appended to."""


class Running(Protocol):
    """A job on its way: it waits for a machine, runs, or has ended."""

    job: Job
    id: str
    """What its launcher calls it: a process, an actor of Ray, a job of SLURM."""

    def poll(self) -> int | None:
        """Return its exit code, None while it has none; below 0 where a signal ended it."""

    def stop(self) -> None:
        """Ask it to end with a checkpoint; twice, to end at once. Returns without waiting."""


class Launcher(Protocol):
    """Starts jobs somewhere; as a context manager, lets go of what it holds there."""

    workers: int
    """Jobs at once, as asked for or as suits the place."""

    def start(self, jobs: Sequence[Job]) -> list[Running]:
        """Start all of them, or UserError where none can be."""

    def __enter__(self) -> "Launcher":
        """Reach for the machines; raises UserError where they can't be had."""

    def __exit__(self, *exc: object) -> None:
        """Let go of them. Jobs that run are not ended by it, but may not outlive it."""


def command_line(job: Job) -> list[str]:
    """Return the job's command, run by this interpreter."""
    return program(*job.arguments)


def program(*arguments: str) -> list[str]:
    """Return a command of this program, run by this interpreter.

    It imports no modules of the folder it is started in, which may hold other people's files.
    """
    return [sys.executable, "-P", "-m", "cnn_tui", *arguments]


def environment(threads: int, devices: Sequence[str] | None = None) -> dict[str, str]:
    """Return this process's environment, with a number of threads unless the user chose one.

    ``devices`` are the GPUs that the job may see, as CUDA_VISIBLE_DEVICES names them.
    """
    changed = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads))}
    if devices is not None:
        changed["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    return os.environ | changed

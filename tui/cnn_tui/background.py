"""Trainings in processes of their own, which outlive this one and its terminal."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cnn_core.errors import UserError, printable
from cnn_core.runs.lock import is_live

_STEP_S = 0.1


def start_in_background(run_dir: Path, *, data_dir: Path, device: str) -> None:
    """Train a run, or go on with it, in the background; return once that process holds it.

    Takes as long as torch needs to load. Raises UserError if the process ends at once.
    """
    process = spawn(
        ["resume", str(run_dir.resolve())], run_dir / "log.txt", data_dir=data_dir, device=device
    )
    while process.poll() is None and not is_live(run_dir):
        time.sleep(_STEP_S)
    if process.returncode:
        raise UserError(
            f"run {printable(run_dir.name)}: the training ended at once; "
            f"{printable(run_dir / 'log.txt')} says why"
        )


def spawn(
    command: Sequence[str], log: Path, *, data_dir: Path, device: str
) -> subprocess.Popen[bytes]:
    """Start ``cnn-tui COMMAND --headless`` in a session of its own, its output in ``log``."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "cnn_tui", *command, "--headless"),
                *("--data-dir", str(data_dir.resolve()), "--device", device),
            ],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )

"""Trainings in processes of their own, which outlive this one and its terminal."""

import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from cnn_core.errors import UserError, printable
from cnn_core.launch.jobs import program
from cnn_core.regular_files import append_regular
from cnn_core.runs.lock import is_live
from cnn_core.runs.queue import Queue
from cnn_tui.workplace import Workplace

QUEUE_LOG = ".queue.log"
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
    with append_regular(log) as file:
        process = subprocess.Popen(
            [
                *program(*command, "--headless"),
                *("--data-dir", str(data_dir.resolve()), "--device", device),
            ],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    # Whoever starts a process takes note of its end, or it stays behind as a zombie.
    threading.Thread(target=process.wait, name="child", daemon=True).start()
    return process


def train_queue_in_background(
    workplace: Workplace, queue: Queue, *, first: Path | None = None, how: Sequence[str] = ()
) -> bool:
    """Let a process of its own go on with ``first`` and the runs that wait; False if none does.

    ``how`` are options of ``cnn-tui queue --train``.

    Returns once that process trains, or another one has taken the runs. Raises UserError if it
    ends at once.
    """
    if first is not None:
        queue.add(first.name)
        queue.move(first.name, -len(queue.ids()))
    waiting = queue.ids()
    if not waiting:
        return False
    log = workplace.runs_dir / QUEUE_LOG
    process = spawn(
        ["queue", "--train", "--runs-dir", str(workplace.runs_dir), *how],
        log,
        data_dir=workplace.data_dir,
        device=workplace.device,
    )
    while process.poll() is None and queue.ids()[:1] == waiting[:1]:
        time.sleep(_STEP_S)
    if process.returncode:
        raise UserError(f"the queue's process ended at once; {printable(log)} says why")
    return True

"""Deleting runs."""

import shutil
from pathlib import Path

from cnn_core.errors import UserError, printable
from cnn_core.runs.directory import is_run_id
from cnn_core.runs.lock import RunLock

DELETED = ".deleted-"


def delete_run(run_dir: Path) -> None:
    """Remove a run and all its files; it is gone from lists at once.

    What an earlier deletion in the same folder left when it was cut short goes too. Raises
    UserError while a process writes the run, for a folder whose name is no run's id (it may be
    anything), and where something can't be removed.
    """
    shown = f"run {printable(run_dir.name)}"
    if not is_run_id(run_dir.name) or run_dir.is_symlink() or not run_dir.is_dir():
        raise UserError(f"{printable(run_dir)}: not the folder of a run, so it is not deleted")
    hidden = run_dir.with_name(DELETED + run_dir.name)
    with RunLock(run_dir):
        try:
            run_dir.rename(hidden)
        except OSError as error:
            raise UserError(f"{shown}: can't be deleted: {error.strerror}") from error
    for left in run_dir.parent.glob(f"{DELETED}*"):
        shutil.rmtree(left, ignore_errors=True)  # what stays is told below, or was told before
    if hidden.exists():
        raise UserError(f"{shown}: deleted, but some files can't be removed from {hidden}")

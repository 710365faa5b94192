"""Deleting sweeps."""

import contextlib
import secrets
import shutil
from collections.abc import Sequence

from cnn_core.errors import UserError, printable
from cnn_core.runs.lock import is_live
from cnn_core.runs.removal import DELETED, delete_run
from cnn_core.search.folder import SweepFolder


def delete_sweep(folder: SweepFolder, runs: Sequence[str] = ()) -> None:
    """Remove a sweep's folder, and these runs of its trials with their files.

    A study in a storage of its own, a database say, stays there. Raises UserError while one of
    the runs is written, and where something can't be removed.
    """
    here = [run for run in runs if (folder.runs_dir / run).is_dir()]
    if alive := [run for run in here if is_live(folder.runs_dir / run)]:
        raise UserError(
            f"sweep {folder.sweep.name}: {printable(alive[0])} is being trained; stop it first"
        )
    hidden = folder.runs_dir / f"{DELETED}{folder.sweep.name}-{secrets.token_hex(4)}"
    try:
        with folder.changing():
            folder.path.rename(hidden)
    except OSError as error:
        raise UserError(f"sweep {folder.sweep.name}: can't be deleted: {error.strerror}") from error
    shutil.rmtree(hidden, ignore_errors=True)  # what stays goes with the next run deleted
    with contextlib.suppress(OSError):  # other sweeps are in it
        folder.path.parent.rmdir()
    for run in here:
        delete_run(folder.runs_dir / run)

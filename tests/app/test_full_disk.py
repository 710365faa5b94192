"""A disk that is full under the app: it says so, lives on, and so does the training."""

import errno
import os
from typing import Any

import pytest
from app_support import Folder, until

from cnn_core.runs.reader import read_summary
from cnn_tui.app import CnnTuiApp

pytestmark = pytest.mark.usefixtures("beside_training")


class Disk:
    """Refuses all lines of logs while it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        write = os.write

        def refuse(descriptor: int, content: Any) -> int:
            if self.full and bytes(content[:9]) == b'{"event":':
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, content)

        monkeypatch.setattr(os, "write", refuse)


async def test_the_app_tells_of_a_full_disk_and_the_training_goes_on(
    app: CnnTuiApp, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    run_dir = folder.new("long", "train.epochs=100000", "train.checkpoint_every=1000")
    async with app.run_test() as pilot:
        app.train(run_dir)
        await until(pilot, lambda: read_summary(run_dir)["epoch"] >= 1, 60)
        disk.full = True
        told = f"the run's log can't be written: disk full: {run_dir}: free space there"
        await until(
            pilot, lambda: any(told in shown.message for shown in app._notifications), 60, told
        )
        assert app.slot.busy
        disk.full = False
        epoch = read_summary(run_dir)["epoch"]
        await until(pilot, lambda: read_summary(run_dir)["epoch"] > epoch, 60)
        app.slot.close(stop=True)
        await until(pilot, lambda: not app.slot.busy, 60)
    assert read_summary(run_dir)["status"] == "stopped"
    assert "can't be written" in (run_dir / "log.txt").read_text()

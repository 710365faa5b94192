"""Leaving while a run is being trained in this process."""

from pathlib import Path
from typing import Any

import pytest
from app_support import Folder, until
from textual.pilot import Pilot

from cnn_core.runs.lock import is_live
from cnn_core.runs.reader import read_summary
from cnn_core.runs.requests import send_request
from cnn_tui.app import CnnTuiApp
from cnn_tui.screens.leaving import AskHowToLeave

pytestmark = pytest.mark.usefixtures("beside_training")

LONG = ("train.epochs=100000", "train.checkpoint_every=1000")


@pytest.fixture
def run_dir(folder: Folder) -> Path:
    return folder.new("long", *LONG)


async def training(pilot: Pilot[Any], app: CnnTuiApp, run_dir: Path) -> None:
    """Train the run in the app until its first epochs are done."""
    app.train(run_dir)
    await until(pilot, lambda: read_summary(run_dir)["epoch"] >= 1, 60)


async def test_cancelling_stays_and_trains_on(app: CnnTuiApp, run_dir: Path) -> None:
    async with app.run_test() as pilot:
        await training(pilot, app, run_dir)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, AskHowToLeave))
        await pilot.press("escape")
        assert app.slot.busy
        epoch = read_summary(run_dir)["epoch"]
        await until(pilot, lambda: read_summary(run_dir)["epoch"] > epoch)
        send_request(run_dir, "stop")
        await until(pilot, lambda: not app.slot.busy)


async def test_stopping_leaves_a_checkpoint(app: CnnTuiApp, run_dir: Path) -> None:
    async with app.run_test() as pilot:
        await training(pilot, app, run_dir)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, AskHowToLeave))
        await pilot.press("s")
        await until(pilot, lambda: app.return_value is not None)
    assert f"cnn-tui resume {run_dir.name}" in app.return_value
    assert read_summary(run_dir)["status"] == "stopped"
    assert (run_dir / "checkpoints" / "last.pt").exists()
    assert not is_live(run_dir)


async def test_in_the_background_it_goes_on_where_it_stood(
    app: CnnTuiApp, run_dir: Path, folder: Folder
) -> None:
    waiting = folder.new("waiting", "train.epochs=2")
    async with app.run_test() as pilot:
        await training(pilot, app, run_dir)
        app.enqueue(waiting)
        epoch = read_summary(run_dir)["epoch"]
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, AskHowToLeave))
        await pilot.press("b")
        await until(pilot, lambda: app.return_value is not None, 60)
        assert "goes on in the background" in app.return_value
        await until(pilot, lambda: is_live(run_dir), 60)
        await until(pilot, lambda: read_summary(run_dir)["epoch"] > epoch + 1, 60)
        send_request(run_dir, "stop")
        await until(pilot, lambda: read_summary(run_dir)["status"] == "stopped", 60)
        await until(pilot, lambda: read_summary(waiting)["status"] == "finished", 60)
        await until(pilot, lambda: not is_live(waiting))

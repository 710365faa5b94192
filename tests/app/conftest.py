"""The app over a folder of runs made by hand, driven by Textual's Pilot."""

import time
from pathlib import Path

import pytest
from app_support import Folder

from cnn_tui.app import CnnTuiApp
from cnn_tui.settings import State
from cnn_tui.workplace import Workplace


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNN_TUI_CONFIG", str(tmp_path / "config"))


@pytest.fixture(autouse=True)
def _followed_closely(each_summary: None) -> None:
    """Let the events that a test writes by hand reach the summary, with none after them."""


@pytest.fixture
def beside_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pilot wait until the app's thread is idle; a process that trains never is."""
    monkeypatch.setattr("textual._wait.process_time", time.thread_time)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "runs")


@pytest.fixture
def app(tmp_path: Path, folder: Folder) -> CnnTuiApp:
    """The app over the folder, with settings of its own."""
    place = Workplace(folder.runs_dir, tmp_path / "data", tmp_path / "cache", "cpu")
    return CnnTuiApp(place, state=State.read(tmp_path / "config"))


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data, cache and one run that was really trained."""
    from inspect_page import CLASSES  # these import torch
    from inspect_support import make_images, trained_run

    folder = tmp_path_factory.mktemp("inspect")
    make_images(folder / "data" / "images", CLASSES)
    trained_run(folder, augment={"policy": "flip-crop"})
    return folder


@pytest.fixture
def looked(stored: Path) -> CnnTuiApp:
    """The app over that folder."""
    from inspect_page import app_over

    return app_over(stored)


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Take runs without training them: what trains is tested elsewhere."""
    trained: list[Path] = []

    def start(slot: object, run_dir: Path) -> bool:
        trained.append(run_dir)
        return True

    monkeypatch.setattr("cnn_tui.slot.TrainingSlot.start", start)
    monkeypatch.setattr("cnn_tui.slot.TrainingSlot.start_waiting", lambda slot: False)
    return trained

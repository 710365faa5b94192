"""What is told when the app is gone and its training is not."""

import os
import signal
from pathlib import Path

import pytest

from cnn_tui import start


@pytest.mark.parametrize(
    ("number", "told"),
    [(signal.SIGTERM, "stopping this step"), (signal.SIGHUP, "the training goes on")],
)
def test_a_training_that_outlasts_the_app_is_told_of_as_it_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    number: signal.Signals,
    told: str,
) -> None:
    monkeypatch.setenv("CNN_TUI_CONFIG", str(tmp_path))
    monkeypatch.setattr("cnn_tui.terminal.leave_terminal", lambda: None)
    monkeypatch.setattr(start.CnnTuiApp, "run", lambda _: os.kill(os.getpid(), number))
    monkeypatch.setattr("cnn_tui.slot.TrainingSlot.busy", True)
    start.run_app(tmp_path, tmp_path, "cpu")
    assert told in capfd.readouterr().err

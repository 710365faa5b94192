"""The end of a training in the app, told as the user's settings ask for it."""

from pathlib import Path

import pytest
from app_support import Folder, until

from cnn_tui.app import CnnTuiApp
from cnn_tui.notify import Notify
from cnn_tui.settings import Config
from cnn_tui.workplace import Workplace


async def test_the_end_of_a_training_rings_and_is_told(
    tmp_path: Path, folder: Folder, beside_training: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Workplace(folder.runs_dir, tmp_path / "data", tmp_path / "cache", "cpu")
    command = f'echo "$CNN_TUI_STATUS" > {tmp_path}/told.txt; echo broken >&2; exit 1'
    app = CnnTuiApp(place, Config(notify=Notify(bell=True, command=command)))
    rung: list[str] = []
    monkeypatch.setattr(app, "bell", lambda: rung.append("rung"))
    async with app.run_test() as pilot:
        app.slot.start(folder.new("digits", "train.epochs=1", "data.limit=200"))
        await until(pilot, lambda: rung)
        assert not app.slot.busy
        await until(pilot, lambda: "notify.command: exit code 1: broken" in _toasts(app))
        assert (tmp_path / "told.txt").read_text() == "finished\n"
        # The page of a run rings by itself: not twice.
        app.train(folder.new("digits", "train.epochs=1", "data.limit=200"))
        await until(pilot, lambda: len(rung) == 2)
        await until(pilot, lambda: not app.slot.busy)
        app._look_after_slot()
        assert len(rung) == 2


def _toasts(app: CnnTuiApp) -> list[str]:
    return [note.message for note in app._notifications]

"""Sending runs to launchers, and slots of the queue, from the app."""

from pathlib import Path
from typing import Any

import pytest
from app_support import Folder, until
from textual.pilot import Pilot
from textual.widgets import Input, Static

from cnn_core.launch.jobs import LaunchOptions
from cnn_core.runs.queue import Queue
from cnn_tui.app import CnnTuiApp
from cnn_tui.screens import send as send_screen
from cnn_tui.screens.queue import QueuePage
from cnn_tui.screens.runs import RunsPage
from cnn_tui.screens.send import SendTo
from cnn_tui.sending import Destination
from cnn_tui.settings import State
from cnn_tui.widgets.one_of import OneOf

Sent = list[tuple[str, str, LaunchOptions]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Return what is handed over, in place of doing so."""
    runs: Sent = []

    def send(run_dir: Path, to: Destination, **_: object) -> str:
        runs.append((run_dir.name, to.launcher, to.options))
        return f"sent to {to.launcher}: job 7"

    monkeypatch.setattr(send_screen, "send", send)
    return runs


async def asked(pilot: Pilot[Any], app: CnnTuiApp) -> SendTo:
    await until(pilot, lambda: isinstance(app.screen, SendTo))
    assert isinstance(app.screen, SendTo)
    return app.screen


async def test_a_run_of_the_list_is_sent_and_the_options_are_remembered(
    app: CnnTuiApp, folder: Folder, sent: Sent, tmp_path: Path
) -> None:
    pytest.importorskip("submitit")
    run_dir = folder.new("[bold]x[/]")
    async with app.run_test(size=(80, 24)) as pilot:
        page = app.screen
        assert isinstance(page, RunsPage)
        await until(pilot, lambda: page.current() is not None)
        await pilot.press("S")
        dialog = await asked(pilot, app)
        assert "Send [bold]x[/] to" in str(dialog.query_one(".dialog-title", Static).render())
        assert dialog.query_one(OneOf).value == "local"
        await pilot.press("right", "right", "tab")
        dialog.query_one(Input).value = "partition=gpu"
        await pilot.press("enter")
        error = str(dialog.query_one(".dialog-error", Static).render())
        assert "did you mean 'slurm_partition'?" in error
        dialog.query_one(Input).value = "cluster=local timeout_min=60"
        await pilot.press("enter")
        await until(pilot, lambda: sent)
        assert sent == [(run_dir.name, "slurm", {"cluster": "local", "timeout_min": 60})]
        told = [note.message for note in app._notifications]
        assert f"{run_dir.name} sent to slurm: job 7" in told
        await pilot.press("S")
        dialog = await asked(pilot, app)
        assert dialog.query_one(Input).value == "cluster=local timeout_min=60"
        await pilot.press("escape")
    assert State.read(tmp_path / "config").launcher == "slurm"


async def test_the_page_of_a_run_sends_it_and_a_finished_one_stays(
    app: CnnTuiApp, folder: Folder, sent: Sent
) -> None:
    run_dir, done = folder.new(), folder.finished("done")
    async with app.run_test(size=(120, 40)) as pilot:
        app.open_run(run_dir)
        await until(pilot, lambda: app.screen.check_action("send", ()))
        await pilot.press("S")
        await asked(pilot, app)
        await pilot.press("enter")
        await until(pilot, lambda: sent)
        assert sent == [(run_dir.name, "local", {})]
        app.open_run(done)
        await until(pilot, lambda: getattr(app.screen, "run_dir", None) == done)
        assert not app.screen.check_action("send", ())


async def test_slots_are_shown_and_changed(app: CnnTuiApp, folder: Folder) -> None:
    app.slot.queue.add(folder.new("first").name)
    other = Queue(folder.runs_dir)
    hold = other.try_hold()
    assert hold is not None
    other.set_slots(3)
    async with app.run_test(size=(80, 24)) as pilot:
        app.open_page("queue")
        await until(pilot, lambda: isinstance(app.screen, QueuePage))
        page = app.screen

        def heading() -> str:
            lines = page.query("#now-heading").results(Static)
            return "".join(str(line.render()) for line in lines)

        await until(pilot, lambda: "slots of the queue: 3" in heading())
        await pilot.press("w")
        await until(pilot, lambda: app.screen is not page)
        line = app.screen.query_one(Input)
        assert line.value == "3"
        line.value = "many"
        await pilot.press("enter")
        error = str(app.screen.query_one(".dialog-error", Static).render())
        assert "expected a whole number of 0 or more" in error
        line.value = "5"
        await pilot.press("enter")
        await until(pilot, lambda: "slots of the queue: 5" in heading())
        assert other.slots() == 5
        hold.release()
        await until(pilot, lambda: "slots" not in heading())

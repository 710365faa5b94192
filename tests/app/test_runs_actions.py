"""What the list of runs can do with them: select, open, ask, label, delete."""

from pathlib import Path

import pytest
from app_support import Folder, started, until
from runs_page import lines, names, said, shown, table, told
from textual.widgets import Input, TextArea

from cnn_core.runs.reader import read_config
from cnn_core.runs.requests import take_requests
from cnn_tui.app import CnnTuiApp
from cnn_tui.screens.dialogs import Prompt
from cnn_tui.screens.live import LivePage
from cnn_tui.screens.new import NewPage
from cnn_tui.screens.queue import QueuePage
from cnn_tui.screens.runs import RunsPage
from cnn_tui.screens.runs_dialogs import NoteEditor
from cnn_tui.widgets.filter_line import FilterLine
from cnn_tui.widgets.runs_table import RunsTable


async def test_selecting_by_keys_and_mouse_and_comparing(
    app: CnnTuiApp, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[list[Path]] = []
    monkeypatch.setattr(app, "compare", compared.append)
    runs = [folder.finished(f"run{number}") for number in range(4)]
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot, 4)
        await pilot.press("c")
        assert "space" in told(app)
        await pilot.press("a")
        assert table(app).marked == {run.name for run in runs}
        await pilot.press("a")
        assert not table(app).marked
        await pilot.press("space")
        await pilot.click(RunsTable, offset=(1, 4))
        await until(pilot, lambda: "2 selected" in said(app))
        await pilot.press("slash")
        app.screen.query_one(FilterLine).value = "run3"
        await until(pilot, lambda: "2 selected, 1 of them not shown" in said(app))
        await pilot.press("enter", "c")
        await until(pilot, lambda: compared == [[runs[3], runs[0]]])


async def test_pages_open_from_the_list(
    app: CnnTuiApp, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.finished("one")
    two = folder.finished("two")
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot, 2)
        for keys, page in (("enter", LivePage), ("e", NewPage), ("q", QueuePage)):
            await pilot.press(keys)
            await until(pilot, lambda page=page: isinstance(app.screen, page))
            app.pop_screen()
            await pilot.pause()
        opened: list[Path] = []
        monkeypatch.setattr(app, "open_run", opened.append)
        await pilot.click(RunsTable, offset=(10, 1), times=2)
        await until(pilot, lambda: opened == [two])


async def test_requests_reach_the_run(app: CnnTuiApp, folder: Folder) -> None:
    run_dir = folder.new("live")
    async with app.run_test() as pilot:
        await shown(pilot, 1)
        await pilot.press("x")
        await until(pilot, lambda: "not running" in told(app))
        with folder.writing(run_dir) as writer:
            writer.write(started(3))
            await until(pilot, lambda: table(app).rows[0]["status"] == "running")
            await pilot.press("p")
            await until(pilot, lambda: "pauses" in told(app))
            await pilot.press("x")
            await until(pilot, lambda: "stops" in told(app))
            assert [request.kind for request in take_requests(run_dir)] == ["pause", "stop"]
            await pilot.press("r")
            await until(pilot, lambda: "being trained already" in told(app))
            await pilot.press("d")
            await until(pilot, lambda: "stop it first" in told(app))
            assert isinstance(app.screen, RunsPage)


async def test_resume_trains_here_what_can_go_on(
    app: CnnTuiApp, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Path] = []
    monkeypatch.setattr(app, "train", trained.append)
    folder.finished("done")
    stopped = folder.new("stopped")
    async with app.run_test() as pilot:
        await shown(pilot, 2)
        await pilot.press("r")
        await until(pilot, lambda: trained == [stopped])
        await pilot.press("down", "r")
        await until(pilot, lambda: "nothing to resume" in told(app))
        assert trained == [stopped]


async def test_labels_are_changed(app: CnnTuiApp, folder: Folder) -> None:
    run_dir = folder.finished("old")
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot, 1)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        app.screen.query_one(Input).value = " "
        await pilot.press("enter")
        assert isinstance(app.screen, Prompt)
        app.screen.query_one(Input).value = "new [/]"
        await pilot.press("enter")
        await until(pilot, lambda: names(app) == ["new [/]"])
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        app.screen.query_one(Input).value = "night run, x, ,x"
        await pilot.press("enter")
        await until(pilot, lambda: table(app).rows[0]["tags"] == ["night run", "x"])
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, NoteEditor))
        app.screen.query_one(TextArea).text = "two\nlines"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: table(app).rows[0]["notes"] == "two\nlines")
    config = read_config(run_dir)
    assert (config["name"], config["notes"]) == ("new [/]", "two\nlines")


async def test_deleting_asks_for_the_name_and_for_the_number(
    app: CnnTuiApp, folder: Folder
) -> None:
    runs = [folder.finished(f"run{number}") for number in range(3)]
    app.slot.queue_on = False
    waiting = folder.new("waiting")
    app.slot.queue.add(waiting.name)
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot, 4)
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        app.screen.query_one(Input).value = "wait"
        await pilot.press("enter")
        assert isinstance(app.screen, Prompt)
        app.screen.query_one(Input).value = "waiting"
        await pilot.press("enter")
        await shown(pilot, 3)
        assert not waiting.exists()
        assert app.slot.queue.ids() == []
        await pilot.press("d", "escape")
        await until(pilot, lambda: isinstance(app.screen, RunsPage))
        await pilot.press("G", "space", "up", "space", "d")
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        app.screen.query_one(Input).value = "delete 2 runs"
        await pilot.press("enter")
        await shown(pilot, 1)
    assert [run.exists() for run in runs] == [False, False, True]


@pytest.mark.usefixtures("no_training")  # which a slow machine would begin meanwhile
async def test_waiting_runs_show_their_place(app: CnnTuiApp, folder: Folder) -> None:
    app.slot.queue_on = False
    folder.finished("done")
    first, second = folder.new("first"), folder.new("second")
    async with app.run_test(size=(120, 30)) as pilot:
        await shown(pilot, 3)
        await pilot.press("v", "space", "space", "down")  # second, first; the cursor on done
        await pilot.press("Q")
        await until(pilot, lambda: app.slot.queue.ids() == [second.name, first.name])
        await until(pilot, lambda: any("queued #2" in line for line in lines(app)))
        await pilot.press("a", "a", "G", "Q")
        await until(pilot, lambda: "nothing to wait for" in told(app))


async def test_the_command_is_copied_and_shown(app: CnnTuiApp, folder: Folder) -> None:
    run_dir = folder.finished()
    async with app.run_test() as pilot:
        await shown(pilot, 1)
        await pilot.press("y")
        command = f"cnn-tui run {run_dir / 'config.toml'} --headless"
        assert app.clipboard == command
        assert command in told(app)

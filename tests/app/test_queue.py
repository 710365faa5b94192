"""The page of the queue."""

from pathlib import Path
from typing import Any

import pytest
from app_support import Folder, epoch_finished, started, until
from textual.pilot import Pilot
from textual.widgets import Static

from cnn_core.errors import UserError
from cnn_tui.app import CnnTuiApp
from cnn_tui.queue_reader import QueueLook, QueueReader
from cnn_tui.queue_tables import live_table, waiting_table
from cnn_tui.screens.live import LivePage
from cnn_tui.screens.new import NewPage
from cnn_tui.screens.queue import QueuePage
from cnn_tui.widgets.list_table import ListTable

SIZE = (120, 40)


@pytest.fixture
def waiting(app: CnnTuiApp, folder: Folder) -> list[Path]:
    runs = [folder.new("first"), folder.new("[bold]second[/]"), folder.new("third")]
    for run in runs:
        app.slot.queue.add(run.name)
    return runs


async def opened(pilot: Pilot[Any]) -> QueuePage:
    app = pilot.app
    assert isinstance(app, CnnTuiApp)
    app.open_page("queue")
    await until(pilot, lambda: isinstance(app.screen, QueuePage))
    page = app.screen
    assert isinstance(page, QueuePage)
    await until(pilot, lambda: page.query("#state") and "reading" not in said(page))
    return page


def said(page: QueuePage) -> str:
    return str(page.query_one("#state", Static).render())


def names(page: QueuePage, table: str = "#waiting") -> list[str]:
    shown = page.query_one(table, ListTable)
    return [shown.get_row_at(row)[1].plain.split(" …")[0] for row in range(shown.row_count)]


async def test_an_empty_queue_says_how_it_is_filled(app: CnnTuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        page = await opened(pilot)
        assert "No run waits" in said(page)
        assert "cnn-tui run PRESET --queue" in said(page)
        assert "nothing is trained" in str(page.query_one("#idle", Static).render())
        await pilot.press("K", "x", "s", "e", "enter")
        assert app.screen is page
        assert not app._notifications
        await pilot.press("h")
        await pilot.press("h")
        told = [note.message for note in app._notifications]
        assert [text.split()[0] for text in told] == ["runs", "held:"]


async def test_order_by_keys_and_by_mouse(app: CnnTuiApp, waiting: list[Path]) -> None:
    async with app.run_test(size=SIZE) as pilot:
        page = await opened(pilot)
        assert names(page) == ["first", "[bold]second[/]", "third"]
        await pilot.press("J")
        await until(pilot, lambda: names(page) == ["[bold]second[/]", "first", "third"])
        await pilot.press("shift+down")  # the cursor went with its run
        await until(pilot, lambda: names(page) == ["[bold]second[/]", "third", "first"])
        await pilot.press("K")
        await until(pilot, lambda: names(page) == ["[bold]second[/]", "first", "third"])
        await pilot.mouse_down("#waiting", offset=(5, 3))
        await pilot.mouse_up("#waiting", offset=(5, 1))
        await until(pilot, lambda: names(page) == ["third", "[bold]second[/]", "first"])
        assert app.slot.queue.ids() == [waiting[2].name, waiting[1].name, waiting[0].name]


async def test_a_run_taken_out_is_kept(app: CnnTuiApp, waiting: list[Path]) -> None:
    async with app.run_test(size=SIZE) as pilot:
        page = await opened(pilot)
        await pilot.press("down", "x")
        await until(pilot, lambda: names(page) == ["first", "third"])
        assert (waiting[1] / "config.toml").exists()
        assert app.slot.queue.ids() == [waiting[0].name, waiting[2].name]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LivePage))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is page)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, NewPage))


async def test_a_run_that_another_process_took_just_now_is_neither_started_nor_taken_out(
    app: CnnTuiApp, waiting: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Path] = []
    monkeypatch.setattr(app, "train", trained.append)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot)

        def gone(run_id: str) -> None:
            raise UserError(f"run '{run_id}' does not wait in the queue")

        monkeypatch.setattr(app.slot.queue, "remove", gone)
        await pilot.press("x", "s")
        await until(pilot, lambda: len(app._notifications) == 2)
        assert all("does not wait" in told.message for told in app._notifications)
        assert trained == []


async def test_hold_and_go_on(
    app: CnnTuiApp, waiting: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(app.slot, "start_waiting", lambda: begun.append("waiting"))
    async with app.run_test(size=SIZE) as pilot:
        page = await opened(pilot)
        assert said(page).startswith("held")
        begun.clear()
        await pilot.press("h")
        assert begun
        assert app.slot.queue_on
        await until(pilot, lambda: not said(page).startswith("held"))
        await pilot.press("h")
        assert not app.slot.queue_on
        await until(pilot, lambda: said(page).startswith("held"))


async def test_start_now_only_where_nothing_trains(
    app: CnnTuiApp, waiting: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Path] = []
    monkeypatch.setattr(app, "train", begun.append)
    async with app.run_test(size=SIZE) as pilot:
        page = await opened(pilot)
        monkeypatch.setattr(type(app.slot), "busy", True)
        await pilot.press("s")
        assert not begun
        assert len(names(page)) == 3
        monkeypatch.setattr(type(app.slot), "busy", False)
        await pilot.press("s")
        assert begun == [waiting[0]]
        await until(pilot, lambda: names(page) == ["[bold]second[/]", "third"])


async def test_what_trains_elsewhere_is_shown_and_opened(
    app: CnnTuiApp, folder: Folder, waiting: list[Path]
) -> None:
    live = folder.new("live")
    async with app.run_test(size=SIZE) as pilot:
        page = await opened(pilot)
        with folder.writing(live) as writer:
            writer.write(started(3))
            writer.write(epoch_finished(1, 0.5))
            await until(pilot, lambda: names(page, "#now") == ["live"])
            now = page.query_one("#now", ListTable)
            row = [cell.plain for cell in now.get_row_at(0)]
            assert row[0] == "▶ running"
            assert row[4:6] == ["1/3", "50.00%"]
            assert row[-1] == "elsewhere"
        await until(pilot, lambda: not now.display)


async def test_small_and_large_screens(app: CnnTuiApp, waiting: list[Path]) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        page = await opened(pilot)
        narrow = len(page.query_one("#waiting", ListTable).columns)
        await pilot.resize_terminal(200, 60)
        await until(pilot, lambda: len(page.query_one("#waiting", ListTable).columns) == narrow + 4)


def test_only_the_first_start_is_foretold(app: CnnTuiApp, waiting: list[Path]) -> None:
    look = QueueReader(waiting[0].parent, app.slot.queue).look()

    def starts(before: str | None, left_s: float | None) -> list[str]:
        known = QueueLook(look.live, look.waiting, {"before": left_s})
        _, rows = waiting_table(known, before, 200)
        return [cells[-1].plain for cells in rows.values()]

    assert starts(None, None) == ["", "", ""]
    assert starts("before", None) == ["next", "after the one above", "after the one above"]
    assert starts("before", 61.0)[0] == "in about 1 min 01 s"


def test_a_run_that_vanishes_or_ends_does_not_wait(app: CnnTuiApp, folder: Folder) -> None:
    run = folder.new("gone")
    app.slot.queue.add(run.name)
    reader = QueueReader(folder.runs_dir, app.slot.queue)
    assert [row["id"] for row in reader.look().waiting] == [run.name]
    run.rename(run.parent / "elsewhere")
    assert reader.look().waiting == []
    with folder.writing(folder.new("live")) as writer:
        writer.write(started(3))
        look = reader.look()
        assert [row["name"] for row in look.live] == ["live"]
        _, rows = live_table(look, look.live[0]["id"], {}, 200)
        assert [cells[-1].plain for cells in rows.values()] == ["here"]
    assert reader.look().live == []

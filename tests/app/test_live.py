"""The page of a run, driven by Pilot over runs that are written while it is open."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from app_support import Folder, epoch_finished, started, steps, until
from live_support import labels, opened, page_of, says, text
from textual.widgets import Static

from cnn_core.errors import printable
from cnn_core.training.events import (
    ClassesValidated,
    Notice,
    Preparing,
    RunFinished,
)
from cnn_tui.app import CnnTuiApp
from cnn_tui.screens.live import LivePage
from cnn_tui.screens.run_files import RunFiles
from cnn_tui.widgets.chart import Chart
from cnn_tui.widgets.run_panes import LogPane
from cnn_tui.widgets.runs_table import RunsTable


async def test_a_run_is_followed_from_its_preparation_to_its_result(
    app: CnnTuiApp, folder: Folder
) -> None:
    run_dir = folder.new("mine")
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app, run_dir)
        await says(pilot, app, "#card", "not started")
        with folder.writing(run_dir) as writer:
            await says(pilot, app, "#header", "starting")
            writer.write(Preparing(what="decoding", done=3000, total=9144))
            await says(pilot, app, "#card", "decoding", "3,000 of 9,144")
            writer.write(started(3))
            writer.write(steps(1, 5, 1.5))
            await says(pilot, app, "#progress", "epoch", "1/3", "step", "5/10", "1,000 images/s")
            assert text(app, "#card") == ""
            writer.write(epoch_finished(1, 0.5))
            writer.write(ClassesValidated(epoch=1, images=(10, 10), correct=(9, 1)))
            await says(pilot, app, "#progress", "2/3", "epoch 1", "val 50.00%  loss 2.1000")
            await says(pilot, app, "#log", "epoch 1/3", "50.00% best")
            await until(pilot, lambda: labels(app, "loss") == ["steps", "train", "val"])
            assert labels(app, "accuracy") == ["train", "val"]
            await until(pilot, lambda: text(app, "#classes").startswith("dog"), what="the worst")
            assert "1/10  10.0%" in text(app, "#classes")
            writer.write(RunFinished(status="finished", epoch=1, seconds=3.0))
        await says(pilot, app, "#header", "✓ finished")
        await says(pilot, app, "#card", "Best epoch 1 of 1, val accuracy 50.00%")
        await until(pilot, lambda: app._notifications, what="the end is told")
        assert [note.message for note in app._notifications] == ["mine: finished"]


async def test_the_list_beneath_a_run_rests_until_one_returns_to_it(
    app: CnnTuiApp, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = folder.finished("old")
    # Opened when the app mounts, as by `train`, maybe before the list has begun to follow.
    monkeypatch.setattr(CnnTuiApp, "on_mount", lambda self: self.open_run(run_dir))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LivePage))
        table = app.screen_stack[0].query_one(RunsTable)
        await asyncio.sleep(0.5)  # a look that was under way has ended
        before = len(table.rows)
        folder.finished("new")
        await asyncio.sleep(1.5)
        assert len(table.rows) == before
        await pilot.press("escape")
        await until(pilot, lambda: {row["name"] for row in table.rows} == {"old", "new"})


async def test_an_ended_run_shows_its_result_and_tells_no_end(
    app: CnnTuiApp, folder: Folder
) -> None:
    run_dir = folder.finished("old")
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app, run_dir)
        await says(pilot, app, "#card", "Test accuracy 70.00% (best weights, epoch 3)")
        assert not app._notifications
        enabled = {active.binding.action for active in app.screen.active_bindings.values()}
        assert {"compare", "clone", "command", "files"} <= enabled
        assert not {"pause", "stop", "resume", "finish"} & enabled


async def test_of_very_many_lines_the_log_keeps_the_latest(
    app: CnnTuiApp, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("cnn_tui.run_feed", "cnn_tui.widgets.run_panes"):
        monkeypatch.setattr(f"{module}.LOG_KEPT", 10)
    run_dir = folder.new("long")
    with folder.writing(run_dir) as writer:
        writer.write(started(100))
        for number in range(1, 16):
            writer.write(epoch_finished(number, 0.5))
        async with app.run_test(size=(120, 60)) as pilot:
            await opened(pilot, app, run_dir)
            pane = app.screen.query_one("#log", LogPane)
            await until(pilot, lambda: any("epoch  15" in str(line) for line in pane._lines))
            for number in range(16, 61):
                writer.write(epoch_finished(number, 0.5))
            await until(pilot, lambda: any("epoch  60" in str(line) for line in pane._lines))
            feed = page_of(app).run_watch.feed
            assert feed is not None
            assert feed.logged == 61
            assert len(feed.log) <= 20
            assert len(pane._lines) <= 20


async def test_a_run_that_ends_badly_says_why_and_where_to_look(
    app: CnnTuiApp, folder: Folder
) -> None:
    run_dir = folder.new()
    with folder.writing(run_dir) as writer:
        writer.log("Traceback\nValueError: [bold]broken")
        writer.write(started(3))
        writer.write(RunFinished(status="failed", error="it [/] broke", epoch=0, seconds=1.0))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app, run_dir)
        await says(pilot, app, "#card", "it [/] broke", "log.txt", "Resume begins again")
        await pilot.press("o")
        assert isinstance(app.screen, RunFiles)
        tail = app.screen.query_one("#log-tail", Static)
        await until(pilot, lambda: "Traceback\nValueError: [bold]broken" in str(tail.render()))
        await pilot.press("escape")
        assert isinstance(app.screen, LivePage)


async def test_resumed_curves_drop_what_is_trained_again(app: CnnTuiApp, folder: Folder) -> None:
    import dataclasses

    run_dir = folder.new()
    folder.write(run_dir, started(5), *(epoch_finished(n, 0.1 * n) for n in (1, 2, 3)))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app, run_dir)
        chart = page_of(app).query_one("#accuracy", Chart)
        await until(pilot, lambda: len(chart._curves) == 2 and len(chart._curves[1].x) == 3)
        with folder.writing(run_dir) as writer:
            writer.write(dataclasses.replace(started(5), resumed_epoch=1, resumed_step=0))
            await until(pilot, lambda: len(chart._curves[1].x) == 1)
            await says(pilot, app, "#progress", "2/5", "epoch 1")


async def test_a_run_deleted_meanwhile_stays_readable(app: CnnTuiApp, folder: Folder) -> None:
    run_dir = folder.finished()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app, run_dir)
        shutil.rmtree(run_dir)
        await says(pilot, app, "#card", "removed or moved")
        assert labels(app, "accuracy") == ["train", "val"]
        await pilot.press("o", "escape", "t", "escape", "x", "L", "z", "z")
        await pilot.press("escape")
        assert not isinstance(app.screen, LivePage)


async def test_a_folder_that_is_no_run_or_damaged_is_told(app: CnnTuiApp, folder: Folder) -> None:
    nothing = folder.runs_dir / "20260101-000000-none-0000"
    damaged = folder.new()
    (damaged / "config.toml").write_text("= [")
    async with app.run_test(size=(80, 24)) as pilot:
        app.open_run(nothing)
        await until(pilot, lambda: isinstance(app.screen, LivePage))
        await says(pilot, app, "#card", "removed or moved")
        await pilot.press("escape")
        app.open_run(damaged)
        await until(pilot, lambda: isinstance(app.screen, LivePage))
        await says(pilot, app, "#card", "not valid TOML")


HOSTILE = ("[/]", "[bold red]x", "\x1b[31mred", "\u202eevil", "日本語", "a" * 300)


@pytest.mark.parametrize("size", [(80, 24), (80, 50), (120, 40), (200, 60), (20, 5)])
async def test_hostile_text_is_shown_literally_at_any_size(
    app: CnnTuiApp, folder: Folder, size: tuple[int, int]
) -> None:
    run_dir = folder.new("[/] \x1b[31mname", tags=("[bold]",))
    counts = (3,) * len(HOSTILE)
    with folder.writing(run_dir) as writer:
        async with app.run_test(size=size) as pilot:
            await opened(pilot, app, run_dir)
            writer.write(started(2, HOSTILE))
            writer.write(Notice(level="warning", text="[/] \x1b[31m\nnext line"))
            writer.write(epoch_finished(1, 0.5))
            writer.write(ClassesValidated(epoch=1, images=counts, correct=counts))
            await says(pilot, app, "#header", "running")
            for key in "112233445566z1z":
                await pilot.press(key)
            if size == (200, 60):
                for name in HOSTILE[:4]:
                    await says(pilot, app, "#classes", printable(name))
                assert "\x1b" not in text(app, "#log")
                await says(pilot, app, "#log", printable("[/] \x1b[31m"))


async def test_nothing_is_drawn_while_nothing_changes(app: CnnTuiApp, folder: Folder) -> None:
    run_dir = folder.new()
    with folder.writing(run_dir) as writer:
        async with app.run_test(size=(120, 40)) as pilot:
            writer.write(started(3))
            writer.write(epoch_finished(1, 0.5))
            await opened(pilot, app, run_dir)
            watch, charts = page_of(app).run_watch, page_of(app).query(Chart)
            await until(pilot, lambda: labels(app, "accuracy"))
            await until(pilot, lambda: all(c.drawings for c in charts if c.display))
            drawings = [chart.drawings for chart in charts]
            seen: list[int] = []
            poll = watch.poll
            page_of(app).run_watch = _Counting(poll, seen, watch)  # type: ignore[assignment]
            await until(pilot, lambda: len(seen) >= 6, what="six looks at the files")
            assert [chart.drawings for chart in charts] == drawings
            writer.write(epoch_finished(2, 0.6))
            await until(pilot, lambda: [chart.drawings for chart in charts] != drawings)


class _Counting:
    """Stands in for the page's watch and counts how often the files are looked at."""

    def __init__(self, poll: Any, seen: list[int], watch: Any) -> None:
        self._poll, self._seen, self._watch = poll, seen, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_watch"], name)

    def poll(self) -> Any:
        self._seen.append(1)
        return self._poll()


async def test_the_pointer_tells_the_values_under_it(app: CnnTuiApp, folder: Folder) -> None:
    run_dir = folder.finished()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app, run_dir)
        chart = page_of(app).query_one("#accuracy", Chart)
        await until(pilot, lambda: chart.drawings and labels(app, "accuracy"))
        await pilot.hover("#accuracy", offset=(60, 5))

        def legend() -> str:
            return "".join(piece.text for piece in app.screen._compositor.render_strips()[_top()])

        def _top() -> int:
            return chart.region.y + 1

        await until(pilot, lambda: "train 71" in legend() and "val 70" in legend())


async def test_panes_axes_and_smoothing_are_remembered(
    app: CnnTuiApp, folder: Folder, tmp_path: Path
) -> None:
    from cnn_tui.settings import State

    run_dir = folder.finished()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app, run_dir)
        page = page_of(app)
        assert not page.query_one("#rate").display
        await pilot.press("3", "5", "x", "L", "m")
        assert page.query_one("#rate").display
        assert not page.query_one("#classes").display
        assert page.query_one("#loss", Chart).log_y
        assert not page.query_one("#accuracy", Chart).log_y
        await pilot.press("z")
        assert [w.id for w in page.query(Chart) if w.is_on_screen and w.size] == ["loss"]
        await pilot.press("escape")
        assert page.query_one("#accuracy").display
    state = State.read(tmp_path / "config")
    assert (state.x_axis, state.smoothing, state.log_y) == ("step", 0.6, True)
    assert set(state.hidden_panes) == {"medium:classes", "medium:rate"}  # one hid, one shown


async def test_a_digit_goes_to_its_pane_in_a_small_window(app: CnnTuiApp, folder: Folder) -> None:
    run_dir = folder.finished()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app, run_dir)
        page = page_of(app)
        await until(pilot, lambda: page.query_one("#loss").has_focus)
        for key, pane in (("6", "log"), ("4", "progress"), ("2", "accuracy")):
            await pilot.press(key)
            await until(pilot, lambda pane=pane: page.query_one(f"#{pane}").has_focus)
            assert not page.query_one("#loss").display
        tabs = page.query_one("PaneTabs")
        await pilot.click(tabs, offset=(str(tabs.render()).index("Loss") + 2, 0))
        await until(pilot, lambda: page.query_one("#loss").has_focus)


def test_the_page_needs_no_torch() -> None:
    heavy = ("torch", "sklearn", "pydantic", "matplotlib")
    code = f"import sys, cnn_tui.screens.live; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""The page of a run, driven by Pilot over runs that are written while it is open."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from app_support import Folder, epoch_finished, started, steps, until
from textual.pilot import Pilot
from textual.widgets import Input, Static, TextArea

from cnn_core.errors import printable
from cnn_core.runs.reader import read_summary
from cnn_core.runs.requests import take_requests
from cnn_core.training.events import (
    ClassesValidated,
    LearningRateSet,
    Notice,
    Paused,
    Preparing,
    RunFinished,
    Unpaused,
)
from cnn_tui.app import CnnTuiApp
from cnn_tui.screens.live import LivePage
from cnn_tui.screens.run_files import RunFiles
from cnn_tui.widgets.chart import Chart
from cnn_tui.widgets.lines import Lines
from cnn_tui.widgets.list_table import ListTable


def page_of(app: CnnTuiApp) -> LivePage:
    page = next(screen for screen in reversed(app.screen_stack) if isinstance(screen, LivePage))
    assert isinstance(page, LivePage)
    return page


def text(app: CnnTuiApp, selector: str) -> str:
    """Return what a part of the page says, nothing if it is hidden or not there yet."""
    widget = next(iter(page_of(app).query(selector)), None)
    if widget is None or not widget.display:
        return ""
    if isinstance(widget, Lines):
        return "\n".join(widget.render_line(y).text.rstrip() for y in range(widget.size.height))
    assert isinstance(widget, Static)
    return str(widget.render())


def labels(app: CnnTuiApp, pane: str) -> list[str]:
    return [curve.label for curve in page_of(app).query_one(f"#{pane}", Chart)._curves]


async def opened(pilot: Pilot[Any], app: CnnTuiApp, run_dir: Path) -> None:
    app.open_run(run_dir)
    await until(pilot, lambda: isinstance(app.screen, LivePage))
    await until(pilot, lambda: page_of(app).run_watch.document, what="the run is read")
    await pilot.pause()


async def says(pilot: Pilot[Any], app: CnnTuiApp, selector: str, *parts: str) -> None:
    await until(
        pilot,
        lambda: all(part in text(app, selector) for part in parts),
        what=f"{selector} says {parts}",
    )


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


async def test_an_ended_run_shows_its_result_and_tells_no_end(
    app: CnnTuiApp, folder: Folder
) -> None:
    run_dir = folder.finished("old")
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app, run_dir)
        await says(pilot, app, "#card", "Test accuracy 70.00% (best weights, epoch 3)")
        assert not app._notifications
        enabled = {active.binding.action for active in app.screen.active_bindings.values()}
        assert {"compare", "edit", "command", "files"} <= enabled
        assert not {"pause", "stop", "resume", "finish"} & enabled


async def test_requests_reach_the_run_as_files(app: CnnTuiApp, folder: Folder) -> None:
    run_dir = folder.new()
    with folder.writing(run_dir) as writer:
        async with app.run_test(size=(120, 40)) as pilot:
            writer.write(started(3))
            await opened(pilot, app, run_dir)
            await says(pilot, app, "#header", "running")
            await pilot.press("p", "k", "s")
            assert [r.kind for r in take_requests(run_dir)] == ["pause", "checkpoint", "stop"]

            await pilot.press("l")
            line = app.screen.query_one(Input)
            assert line.value == "0.03"
            line.value = "-1"
            await pilot.press("enter")
            assert "expected a number above 0" in str(
                app.screen.query_one(".dialog-error", Static).render()
            )
            line.value = "0.005"
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, LivePage))
            assert [(r.kind, r.value) for r in take_requests(run_dir)] == [("set_lr", 0.005)]
            writer.write(LearningRateSet(lr=0.005))
            await says(pilot, app, "#log", "learning rate set to 0.005")
            await pilot.press("l")
            assert app.screen.query_one(Input).value == "0.005"
            await pilot.press("escape")

            await pilot.press("f", "n")
            assert take_requests(run_dir) == []
            await pilot.press("f", "f")
            await until(pilot, lambda: isinstance(app.screen, LivePage))
            assert [r.kind for r in take_requests(run_dir)] == ["finish"]

            writer.write(Paused())
            await says(pilot, app, "#card", "PAUSED")
            await pilot.press("p")
            assert [r.kind for r in take_requests(run_dir)] == ["unpause"]
            writer.write(Unpaused())
            await says(pilot, app, "#header", "running")


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
        await until(pilot, lambda: "ValueError: [bold]broken" in str(tail.render()))
        await pilot.press("escape")
        assert isinstance(app.screen, LivePage)


async def test_an_interrupted_run_can_be_resumed_and_a_diverged_one_not(
    app: CnnTuiApp, folder: Folder
) -> None:
    gone, diverged = folder.new(), folder.new()
    folder.write(gone, started(3), epoch_finished(1, 0.5))
    end = RunFinished(status="diverged", error="the loss became nan; try less", epoch=0)
    folder.write(diverged, started(3), steps(1, 2, float("inf")), end)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app, gone)
        await says(pilot, app, "#card", "process is gone", "1 of 3 epochs")
        assert page_of(app).check_action("resume", ()) is True
        await pilot.press("escape")
        await opened(pilot, app, diverged)
        await says(pilot, app, "#card", "the loss became nan; try less", "Edit")
        assert page_of(app).check_action("resume", ()) is False


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


async def test_a_run_refused_by_this_process_says_why(app: CnnTuiApp, folder: Folder) -> None:
    run_dir = folder.new()
    text_before = (run_dir / "config.toml").read_text()
    (run_dir / "config.toml").write_text(text_before + "\n[nonsense]\na = 1\n")
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app, run_dir)
        await pilot.press("r")
        await says(pilot, app, "#card", "Not trained", "nonsense")
        assert isinstance(app.screen, LivePage)
        assert len([s for s in app.screen_stack if isinstance(s, LivePage)]) == 1


async def test_a_training_here_is_paused_changed_stopped_resumed_and_finished(
    app: CnnTuiApp, folder: Folder
) -> None:
    run_dir = folder.new("real", "train.epochs=100000", "model.options.widths=[4]")
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app, run_dir)
        await pilot.press("r")
        await says(pilot, app, "#header", "running")
        await says(pilot, app, "#log", "epoch")
        await pilot.press("p")
        await says(pilot, app, "#card", "PAUSED")
        await pilot.press("p")
        await says(pilot, app, "#header", "running")
        await pilot.press("l")
        app.screen.query_one(Input).value = "0.001"
        await pilot.press("enter")
        await until(
            pilot,
            lambda: any(
                isinstance(event, LearningRateSet)
                for _, event in page_of(app).run_watch.feed.log  # type: ignore[union-attr]
            ),
        )
        await pilot.press("s")
        await says(pilot, app, "#header", "stopped")
        await says(pilot, app, "#card", "Resume goes on from the last checkpoint")
        done = read_summary(run_dir)["epoch"]
        await until(pilot, lambda: not app.slot.busy)
        await pilot.press("r")
        await says(pilot, app, "#header", "running")
        await until(pilot, lambda: read_summary(run_dir)["epoch"] > done)
        await pilot.press("f", "f")
        await says(pilot, app, "#card", "Test accuracy")
        assert read_summary(run_dir)["status"] == "finished"
        await until(pilot, lambda: not app.slot.busy)


async def test_tags_and_notes_are_kept_in_the_configuration(app: CnnTuiApp, folder: Folder) -> None:
    run_dir = folder.finished()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app, run_dir)
        await pilot.press("t")
        app.screen.query_one(Input).value = "one, [/], one,"
        await pilot.press("enter")
        await says(pilot, app, "#header", "#one · #[/]")
        await pilot.press("n")
        app.screen.query_one(TextArea).text = "a [bold]note"
        await pilot.press("ctrl+s")
        await says(pilot, app, "#header", "a [bold]note")
    assert read_summary(run_dir)["tags"] == ["one", "[/]"]


async def test_another_run_is_picked_to_compare_with(app: CnnTuiApp, folder: Folder) -> None:
    mine, other = folder.finished("mine"), folder.finished("other")
    compared: list[list[Path]] = []
    app.compare = compared.append  # type: ignore[method-assign]
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app, mine)
        await pilot.press("c")
        await until(pilot, lambda: app.screen.query_one(ListTable).row_count == 1)
        await pilot.press("enter")
        await until(pilot, lambda: compared)
    assert compared == [[mine, other]]


def test_the_page_needs_no_torch() -> None:
    heavy = ("torch", "sklearn", "pydantic", "matplotlib")
    code = f"import sys, cnn_tui.screens.live; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

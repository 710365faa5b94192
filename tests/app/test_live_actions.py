"""What one can do on the page of a run: with hand-made runs, and with a real training."""

from pathlib import Path

import pytest
from app_support import Folder, epoch_finished, started, steps, until
from live_support import opened, page_of, says
from textual.widgets import Input, Static, TextArea

from cnn_core.errors import UserError
from cnn_core.runs.reader import read_summary
from cnn_core.runs.requests import take_requests
from cnn_core.training.events import (
    LearningRateSet,
    Paused,
    RunFinished,
    Unpaused,
)
from cnn_tui.app import CnnTuiApp
from cnn_tui.screens.live import LivePage
from cnn_tui.widgets.list_table import ListTable


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
        await says(pilot, app, "#card", "the loss became nan; try less", "Clone")
        assert page_of(app).check_action("resume", ()) is False


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


@pytest.mark.usefixtures("beside_training")
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


async def test_a_process_of_its_own_takes_the_run_or_says_why_not(
    app: CnnTuiApp, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def refuse(run_dir: Path, *, data_dir: Path, device: str) -> None:
        asked.append(run_dir)
        raise UserError("the training ended at once")

    monkeypatch.setattr("cnn_tui.screens.live_actions.start_in_background", refuse)
    run_dir = folder.new()
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app, run_dir)
        await pilot.press("B")
        await until(
            pilot,
            lambda: "the training ended at once" in [n.message for n in app._notifications],
        )
    assert asked == [run_dir]


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

"""What becomes of what the New page says: a run, a preset, a draft, a command."""

import os
from pathlib import Path

import pytest
import tomli
from app_support import Folder
from new_page import enter, form_of, opened, row, until
from textual.widgets import Input, Static

from cnn_core.config import Experiment
from cnn_core.preset_files import load_experiment
from cnn_core.runs.directory import list_runs
from cnn_tui.app import CnnTuiApp
from cnn_tui.drafts import left_behind
from cnn_tui.screens.dialogs import Ask
from cnn_tui.screens.live import LivePage
from cnn_tui.screens.new import NewPage
from cnn_tui.screens.pick import PickPreset
from cnn_tui.screens.runs import RunsPage
from cnn_tui.screens.save_preset import SavePreset
from cnn_tui.settings import State
from cnn_tui.widgets.form_view import FormView

pytestmark = pytest.mark.usefixtures("no_training")


async def test_start_makes_exactly_this_run(
    app: CnnTuiApp, folder: Folder, no_training: list[Path]
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(app, pilot)
        await enter(pilot, page, "train.epochs", "4")
        await enter(pilot, page, "tags", "a, b")
        expected = form_of(page).experiment()
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(app.screen, LivePage))
        [run_dir] = list_runs(folder.runs_dir)
        assert no_training == [run_dir]
        made = Experiment.model_validate(tomli.loads((run_dir / "config.toml").read_text()))
        assert made == expected
        assert (made.train.epochs, made.tags) == (4, ["a", "b"])
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsPage))


async def test_queue_makes_the_run_and_waits(
    app: CnnTuiApp, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[str] = []
    monkeypatch.setattr(app.slot.queue, "add", waiting.append)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(app, pilot)
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(app.screen, RunsPage))
        assert waiting == [run_dir.name for run_dir in list_runs(folder.runs_dir)]


async def test_a_run_is_cloned_with_another_policy(app: CnnTuiApp, folder: Folder) -> None:
    before = folder.finished("first", "optim.lr=0.02")
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(app, pilot, before)
        assert form_of(page).changes == {}
        page.query_one(FormView).go_to("freeze.policy")
        await pilot.press("right")
        await until(pilot, lambda: row(page, "freeze.policy").changed)
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(app.screen, LivePage))
        [after] = [run for run in list_runs(folder.runs_dir) if run != before]
        old, new = (load_experiment(run / "config.toml") for run in (before, after))
        assert new.freeze.policy == "convolutional"
        assert new.model_copy(update={"freeze": old.freeze}) == old


async def test_a_saved_preset_is_the_same_experiment(
    app: CnnTuiApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(app, pilot)
        await enter(pilot, page, "optim.lr", "0.5")
        expected = form_of(page).experiment()
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, SavePreset))
        assert app.screen.query_one(Input).value == "digits.toml"
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is page and not form_of(page).changes)
        assert load_experiment(tmp_path / "digits.toml") == expected
        assert form_of(page).experiment() == expected
        await enter(pilot, page, "optim.lr", "0.6")
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, SavePreset))
        await pilot.press("enter")
        error = app.screen.query_one(".dialog-error", Static)
        await until(pilot, lambda: "exists; enter again replaces it" in str(error.content))
        assert load_experiment(tmp_path / "digits.toml") == expected
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is page)
        assert load_experiment(tmp_path / "digits.toml").optim.lr == 0.6


async def test_leaving_with_changes_asks(app: CnnTuiApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(app, pilot)
        await enter(pilot, page, "seed", "7")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        await pilot.press("c")
        await until(pilot, lambda: app.screen is page)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, RunsPage))


def another(app: CnnTuiApp) -> CnnTuiApp:
    """Return an app that is started when this one is gone."""
    assert app.state.path is not None
    return CnnTuiApp(app.workplace, state=State.read(app.state.path.parent))


async def test_what_was_being_written_is_offered_after_the_app_is_gone(app: CnnTuiApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(app, pilot)
        await enter(pilot, page, "seed", "7")
        await enter(pilot, page, "train.epochs", "x")  # a mistake is no reason to lose it
    for answer in ("n", "g"):
        later = another(app)
        async with later.run_test(size=(120, 40)) as pilot:
            later.push_screen(page := NewPage())
            await until(pilot, lambda app=later: isinstance(app.screen, Ask))
            dialog = "\n".join(str(each.content) for each in later.screen.query(Static))
            assert "From digits" in dialog
            assert "seed  0 → 7" in dialog
            await pilot.press(answer)
            if answer == "n":
                await until(pilot, lambda app=later: isinstance(app.screen, PickPreset))
                continue
            await until(pilot, lambda app=later, page=page: app.screen is page and page._form)
            assert form_of(page).text("seed") == "7"
            assert list(form_of(page).mistakes) == ["train.epochs"]
            assert form_of(page).source.label == "digits"
            await pilot.press("escape")
            await until(pilot, lambda app=later: isinstance(app.screen, Ask))
            await pilot.press("l")
            await until(pilot, lambda app=later: isinstance(app.screen, RunsPage))
    assert left_behind(later.state.path.parent / "drafts") == []


async def test_a_draft_that_is_open_is_offered_to_nobody(app: CnnTuiApp) -> None:
    assert app.state.path is not None
    folder = app.state.path.parent / "drafts"
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(app, pilot)
        await enter(pilot, page, "seed", "7")
        await until(pilot, lambda: list(folder.glob("*.json")))
        assert left_behind(folder) == []
        (file,) = folder.glob("*.json")
        content = file.read_bytes()
        await pilot.press("ctrl+z")
        await until(pilot, lambda: not file.exists())
        file.with_name("torn.json").write_bytes(content[:-9])
        file.with_name("older.json").write_bytes(content.replace(b"train.epochs", b"was.a.key"))
    (draft,) = left_behind(folder)
    assert draft.form.text("seed") == "7"
    assert draft.form.text("train.epochs") == ""


async def test_the_command_is_copied_and_shown(app: CnnTuiApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(app, pilot)
        await enter(pilot, page, "train.epochs", "3")
        await pilot.press("ctrl+y")
        await until(pilot, lambda: app.clipboard)
        assert app.clipboard.startswith("cnn-tui run digits --set train.epochs=3")


async def test_control_characters_of_a_name_are_escaped(app: CnnTuiApp, folder: Folder) -> None:
    run_dir = folder.new("\x1b[31m[/]" + os.linesep)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(app, pilot, run_dir)
        editor = row(page, "name").editor
        assert isinstance(editor, Input)
        assert editor.value == r"\x1b[31m[/]\n"
        await pilot.pause()
        assert form_of(page).changes == {}

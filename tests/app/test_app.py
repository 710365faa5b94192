"""What all pages share: help, palette, themes, keys of one's own, leaving."""

import subprocess
import sys
from pathlib import Path

import pytest
from app_support import Folder, until
from textual.command import CommandPalette
from textual.events import Key
from textual.widgets import Input, OptionList, Static

from cnn_core.errors import UserError
from cnn_tui.app import CnnTuiApp
from cnn_tui.keymap import check_keymap
from cnn_tui.screens.dialogs import Prompt
from cnn_tui.screens.help import Help
from cnn_tui.screens.new import NewPage
from cnn_tui.settings import Config, State, read_config
from cnn_tui.start import run_app
from cnn_tui.widgets.key_bar import KeyBar


async def test_f1_shows_the_keys_of_the_page_and_closes_again(app: CnnTuiApp) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        page = app.screen
        await pilot.press("f1")
        assert isinstance(app.screen, Help)
        await pilot.press("f1")
        assert app.screen is page


async def test_the_key_bar_names_the_keys_and_a_click_presses_them(app: CnnTuiApp) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        bar = app.screen.query_one(KeyBar)
        await until(pilot, lambda: {"New", "Help"} <= set(str(bar.render()).split()))
        await until(pilot, lambda: bar.region.y > 0, what="the bar is laid out")
        for _ in range(20):  # the bar may be about to change when it is read
            lines = str(bar.render()).split("\n")
            line = next(number for number, text in enumerate(lines) if "Help" in text)
            await pilot.click(KeyBar, offset=(1 + lines[line].index("Help"), line))
            if isinstance(app.screen, Help):
                return
    pytest.fail("no click opened the help")


async def test_the_palette_finds_the_actions_of_the_page(app: CnnTuiApp) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        app.screen.query_one(Input).value = "new experiment"
        options = app.screen.query_one(OptionList)
        await until(pilot, lambda: options.option_count and options.highlighted == 0)
        await pilot.press("enter")
        await until(pilot, lambda: any(isinstance(page, NewPage) for page in app.screen_stack))


async def test_a_theme_is_kept_for_the_next_start(app: CnnTuiApp, tmp_path: Path) -> None:
    async with app.run_test() as pilot:
        app.theme = "cnn-light"
        await pilot.pause()
    assert State.read(tmp_path / "config").theme == "cnn-light"
    again = CnnTuiApp(app.workplace, state=State.read(tmp_path / "config"))
    async with again.run_test():
        assert again.theme == "cnn-light"


async def test_keys_are_remapped_by_their_ids(app: CnnTuiApp) -> None:
    app.config = Config(keys={"runs.new": "ctrl+n"})
    async with app.run_test() as pilot:
        page = app.screen
        await pilot.press("n")
        assert app.screen is page
        await pilot.press("ctrl+n")
        await until(pilot, lambda: any(isinstance(page, NewPage) for page in app.screen_stack))


async def test_quitting_with_nothing_to_lose_asks_nothing(app: CnnTuiApp, folder: Folder) -> None:
    folder.finished()
    async with app.run_test() as pilot:
        await pilot.press("ctrl+q")
    assert app.return_code == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("chart_fsp = 2", "unknown key 'chart_fsp'; did you mean 'chart_fps'?"),
        ("chart_fps = 'fast'", "chart_fps = 'fast', expected a number from 0 to 30"),
        ("graphics = 'sixel'", 'expected "auto", "cells" or "always"'),
        ("[keys]\n'runs.new' = 3", "expected a table"),
        ("chart_fps = ", "not valid TOML"),
    ],
)
def test_mistakes_in_the_settings_are_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(UserError) as error:
        read_config(tmp_path)
    assert told in str(error.value)
    assert "config.toml" in str(error.value)


def test_settings_are_read(tmp_path: Path) -> None:
    assert read_config(tmp_path) == Config()
    (tmp_path / "config.toml").write_text('chart_fps = 2\n[keys]\n"runs.new" = "x"\n')
    assert read_config(tmp_path) == Config(chart_fps=2, keys={"runs.new": "x"})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"theme": 3, "sort": "name"}', "\x00"])
def test_a_damaged_state_starts_afresh(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    state = State.read(tmp_path)
    assert state.theme == State().theme
    state.theme = "nord"
    state.save()
    assert State.read(tmp_path).theme == "nord"


def test_the_first_page_needs_no_torch() -> None:
    heavy = ("torch", "numpy", "sklearn", "pydantic", "plotext", "matplotlib")
    code = f"import sys, cnn_tui.start; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"runs.nwe": "x"}, "no action 'runs.nwe'; did you mean 'runs.new'?"),
        ({"runs.new": "controll+n"}, "'controll+n' is no key"),
        ({"runs.new": ""}, "'' is no key"),
        ({"runs.new": "d"}, "runs.new = 'd': d is the key of runs.delete as well"),
        ({"runs.new": "/"}, "slash is the key of runs.filter as well"),
        ({"runs.new": "f1"}, "f1 is the key of app.help as well"),
    ],
)
def test_keys_that_would_do_nothing_are_told(keys: dict[str, str], told: str) -> None:
    with pytest.raises(UserError) as error:
        check_keymap(keys)
    assert told in str(error.value)


def test_wrong_keys_are_told_before_the_app_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNN_TUI_CONFIG", str(tmp_path))
    (tmp_path / "config.toml").write_text('[keys]\n"runs.new" = "nokey"\n')
    with pytest.raises(UserError, match=r"config\.toml: \[keys\]: .* is no key"):
        run_app(tmp_path / "runs", tmp_path / "data", "cpu")


def test_keys_may_change_places_and_be_written_either_way() -> None:
    check_keymap({"runs.new": "d", "runs.delete": "n, ctrl+shift+f5", "runs.filter": "?,minus"})


async def test_a_window_answers_once_however_often_enter_is_pressed(app: CnnTuiApp) -> None:
    answers: list[str | None] = []
    async with app.run_test() as pilot:
        page = app.screen
        app.push_screen(Prompt("Name", "x"), answers.append)
        await until(pilot, lambda: isinstance(app.focused, Input))
        for _ in range(3):
            app.post_message(Key("enter", None))
        await until(pilot, lambda: answers)
        await pilot.pause()
        assert (answers, app.screen) == (["x"], page)


async def test_a_path_too_long_for_the_disk_is_told(app: CnnTuiApp) -> None:
    async with app.run_test() as pilot:
        app.push_screen(Prompt("File", "x" * 300, check=lambda text: Path(text).is_dir()))
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press("enter")
        error = app.screen.query_one(".dialog-error", Static)
        await until(pilot, lambda: "too long" in str(error.render()))

"""The form of a new experiment, filled in by keys."""

from pathlib import Path

import pytest
from app_support import Folder
from new_page import enter, form_of, listed, mistake, opened, row, until
from textual.events import Key
from textual.widgets import Input, OptionList, Static

from cnn_core.backbones.catalog import BACKBONES
from cnn_core.runs.directory import list_runs
from cnn_tui.app import CnnTuiApp
from cnn_tui.screens.dialogs import Prompt
from cnn_tui.screens.help import Help
from cnn_tui.screens.new import NewPage
from cnn_tui.screens.pick import Pick, PickPreset
from cnn_tui.screens.pick_backbone import PickBackbone
from cnn_tui.screens.runs import RunsPage
from cnn_tui.widgets.form_view import FormView
from cnn_tui.widgets.title_bar import TitleBar

pytestmark = pytest.mark.usefixtures("no_training")


async def test_a_preset_is_picked_from_a_list(app: CnnTuiApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        app.new_experiment()
        await until(pilot, lambda: isinstance(app.screen, PickPreset))
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press(*"digits")
        await until(pilot, lambda: len(listed(app)) == 3)
        heading, preset, other = listed(app)
        assert heading == "digits"
        assert "8x8 handwritten digits" in preset
        assert other == "another file…"
        about = app.screen.query_one(".about", Static)
        await until(pilot, lambda: "8x8 handwritten digits" in str(about.content))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, NewPage))
        await until(pilot, lambda: "digits" in app.screen.query_one(TitleBar).page)
        await pilot.press("f4")
        await until(pilot, lambda: isinstance(app.screen, PickPreset))


async def test_presets_stand_under_their_data_sets_and_are_found_by_words(
    app: CnnTuiApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text(
        'notes = "[b]mine"\n[data]\ndataset = "cifar100"\n[model]\nbackbone = "swin_t"\n'
    )
    monkeypatch.chdir(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        app.new_experiment()
        await until(pilot, lambda: isinstance(app.screen, PickPreset))
        await until(pilot, lambda: isinstance(app.focused, Input))
        everything = listed(app)
        datasets = ["caltech101", "caltech256", "cifar10", "cifar100", "digits", "folder"]
        headings = [line for line in everything if " " not in line]
        assert headings == datasets
        assert everything.index("caltech101") < everything.index("caltech256")
        options = app.screen.query_one(OptionList)
        assert options.highlighted == 1
        # A backbone that only the file tells of, in whatever case, and words in any order.
        for words, found in (("SWIN", "mine.toml"), ("s1.4", "caltech101-alexnet-frozen-conv")):
            await pilot.press("ctrl+u", *({".": "full_stop"}.get(c, c) for c in words))
            await until(pilot, lambda: len(listed(app)) == 3)
            assert listed(app)[1].startswith(found)
        await pilot.press("ctrl+u", *"vgg16", "space", *"cut")
        await until(pilot, lambda: len(listed(app)) == 4)
        await pilot.press("down")
        await until(pilot, lambda: options.highlighted == 2)
        await pilot.press("ctrl+u", *"nothing", "space", *"like")
        await until(pilot, lambda: listed(app) == ["another file…"])
        assert options.highlighted == 0


async def test_enter_pressed_twice_asks_for_one_path(app: CnnTuiApp) -> None:
    async with app.run_test() as pilot:
        app.push_screen(NewPage())
        await until(pilot, lambda: isinstance(app.screen, PickPreset))
        await until(pilot, lambda: isinstance(app.focused, Input))
        picker = app.screen
        await pilot.press("up")  # from the first to the last
        for _ in range(2):
            app.post_message(Key("enter", None))
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is picker


async def test_leaving_the_list_of_presets_leaves_the_page(app: CnnTuiApp) -> None:
    async with app.run_test() as pilot:
        app.new_experiment()
        await until(pilot, lambda: isinstance(app.screen, PickPreset))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsPage))


async def test_mistakes_show_in_place_and_stop_the_start(
    app: CnnTuiApp, folder: Folder, no_training: list[Path]
) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        page = await opened(app, pilot)
        await enter(pilot, page, "train.epochs", "many")
        await until(pilot, lambda: "valid integer" in mistake(page, "train.epochs"))
        assert "1 mistake" in page.query_one(TitleBar).page
        await pilot.press("pageup", "pageup", "pageup")
        await pilot.press("f9")
        await until(pilot, lambda: row(page, "train.epochs").has_focus_within)
        assert list_runs(folder.runs_dir) == []
        await enter(pilot, page, "train.epochs", "5")
        await until(pilot, lambda: not mistake(page, "train.epochs"))
        assert row(page, "train.epochs").changed
        assert "train.epochs 30 → 5" in str(page.query_one("#differences", Static).content)
        await pilot.press("ctrl+z", "ctrl+z", "ctrl+z")
        await until(pilot, lambda: form_of(page).text("train.epochs") == "30")
        assert not row(page, "train.epochs").changed


async def test_choices_turn_by_arrows_and_open_a_list(app: CnnTuiApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(app, pilot)
        page.query_one(FormView).go_to("optim.schedule")
        await pilot.press("left")
        await until(pilot, lambda: form_of(page).text("optim.schedule") == "linear")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Pick))
        await pilot.press("up", "up", "enter")
        await until(pilot, lambda: form_of(page).text("optim.schedule") == "step")
        await until(pilot, lambda: "needed by" in mistake(page, "optim.step_size"))
        page.query_one(FormView).go_to("data.dataset")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Pick))
        options = app.screen.query_one(OptionList)
        prompts = [str(options.get_option_at_index(i).prompt) for i in range(options.option_count)]
        assert any(prompt.split()[:2] == ["caltech101", "missing"] for prompt in prompts)
        assert any(prompt.split()[:2] == ["digits", "here"] for prompt in prompts)


async def test_backbones_are_found_by_words(
    app: CnnTuiApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("resnet18", "tiny_vit_5m", *(f"many{number}" for number in range(300)))
    monkeypatch.setattr("cnn_tui.catalog.timm_names", lambda: names)
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(app, pilot)
        page.query_one(FormView).go_to("model.backbone")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PickBackbone))
        picker = app.screen
        options = picker.query_one(OptionList)

        def shown() -> list[str | None]:
            return [option.id for option in options.options if not option.disabled]

        assert shown() == BACKBONES.names()
        assert options.highlighted_option is not None
        assert options.highlighted_option.id == "cnn"  # the preset's
        assert "302 models" in str(picker.query_one(".dialog-title", Static).content)
        prompt = str(options.get_option("alexnet").prompt).split()
        assert prompt[:5] == ["alexnet", "61.1", "M", "56.5", "%"]
        assert prompt[5] in ("cached", "network")
        await pilot.press("1", "8", "space", "n", "e", "t", "1")
        await until(pilot, lambda: shown() == ["resnet18", "timm:resnet18"])
        assert options.highlighted_option.id == "resnet18"
        words = picker.query_one(Input)
        words.value = "many"
        await until(pilot, lambda: len(shown()) == 100)
        assert str(options.options[0].prompt) == "timm, 300 models: the first 100"
        words.value = "timm:tiny_vit_5m.some_tag"
        await until(pilot, lambda: shown() == ["timm:tiny_vit_5m.some_tag"])
        words.value = "vit_5m"
        await until(pilot, lambda: shown() == ["timm:tiny_vit_5m"])
        await pilot.press("enter")
        await until(pilot, lambda: form_of(page).text("model.backbone") == "timm:tiny_vit_5m")


async def test_a_long_list_begins_at_the_present_value_and_has_a_filter(app: CnnTuiApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        page = await opened(app, pilot, "cifar10-cnn-cats-dogs")
        page.query_one(FormView).go_to("augment.policy")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Pick) and isinstance(app.focused, Input))
        options = app.screen.query_one(OptionList)
        assert options.highlighted_option is not None
        assert options.highlighted_option.id == "flip-crop"
        about = app.screen.query_one(".about", Static)
        await pilot.press(*"nosuch")
        await until(pilot, lambda: str(about.content) == "nothing holds these words")
        await pilot.press("enter", "ctrl+u", *"mixup", "enter")
        await until(pilot, lambda: form_of(page).text("augment.policy") == "flip-crop-mixup")


async def test_rare_fields_unfold(app: CnnTuiApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(app, pilot)
        assert not row(page, "data.limit").display
        assert row(page, "optim.nesterov").display  # the preset sets it
        page.query_one(FormView).go_to("data.limit")
        await until(pilot, lambda: row(page, "data.limit").has_focus_within)
        assert "-idle" in row(page, "freeze.unfreeze_at").classes


async def test_pages_of_keys_go_through_the_sections(app: CnnTuiApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(app, pilot)
        view = page.query_one(FormView)
        for _ in range(5):  # as from a key that is held down
            view.action_section(1)
        await until(pilot, lambda: row(page, "optim.name").has_focus_within)
        await pilot.press("pageup")
        await until(pilot, lambda: row(page, "augment.policy").has_focus_within)


async def test_f1_tells_of_the_field(app: CnnTuiApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(app, pilot)
        page.query_one(FormView).go_to("model.backbone")
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, Help))
        text = "".join(str(shown.content) for shown in app.screen.query(Static))
        assert "resnet18: residual blocks" in text

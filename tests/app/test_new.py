"""The page of a new experiment, driven by keys."""

import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli
from app_support import Folder
from app_support import until as until_soon
from PIL import Image
from rich.console import Console
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, OptionList, Static, Tabs

from cnn_core.backbones.catalog import BACKBONES
from cnn_core.backbones.network import build_network
from cnn_core.config import Experiment
from cnn_core.preset_files import load_experiment
from cnn_core.runs.directory import list_runs
from cnn_core.step_memory import StepMemory, step_memory
from cnn_core.training.schedule import lr_factor
from cnn_tui.app import CnnTuiApp
from cnn_tui.drafts import left_behind
from cnn_tui.form import Form
from cnn_tui.previews import Previews
from cnn_tui.screens.dialogs import Ask, Prompt
from cnn_tui.screens.help import Help
from cnn_tui.screens.live import LivePage
from cnn_tui.screens.new import NewPage
from cnn_tui.screens.pick import Pick, PickPreset
from cnn_tui.screens.pick_backbone import PickBackbone
from cnn_tui.screens.runs import RunsPage
from cnn_tui.screens.save_preset import SavePreset
from cnn_tui.settings import State
from cnn_tui.widgets.chart import Chart
from cnn_tui.widgets.form_view import FieldRow, FormView
from cnn_tui.widgets.picture import Picture
from cnn_tui.widgets.preview_panes import NetworkPane
from cnn_tui.widgets.title_bar import TitleBar


@pytest.fixture(autouse=True)
def no_training(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Take runs without training them: what trains is tested elsewhere."""
    trained: list[Path] = []

    def start(slot: object, run_dir: Path) -> bool:
        trained.append(run_dir)
        return True

    monkeypatch.setattr("cnn_tui.slot.TrainingSlot.start", start)
    monkeypatch.setattr("cnn_tui.slot.TrainingSlot.start_waiting", lambda slot: False)
    return trained


async def until(pilot: Pilot[Any], holds: Callable[[], object]) -> None:
    """Wait until the condition holds; loading torch takes long on a busy machine."""
    await until_soon(pilot, holds, timeout_s=90)


async def opened(app: CnnTuiApp, pilot: Pilot[Any], source: Path | str = "digits") -> NewPage:
    """Open the page and wait for its form."""
    page = NewPage(source)
    app.push_screen(page)
    await until(pilot, lambda: app.screen is page and page._form is not None)
    await pilot.pause()
    return page


def form_of(page: NewPage) -> Form:
    assert page._form is not None
    return page._form


async def enter(pilot: Pilot[Any], page: NewPage, key: str, text: str) -> None:
    """Replace the text of a field by typing."""
    view = page.query_one(FormView)
    view.go_to(key)
    await pilot.pause()
    await pilot.press("end", "ctrl+u")
    editor = row(page, key).editor
    assert isinstance(editor, Input)
    await pilot.press(*({" ": "space", ".": "full_stop", "-": "minus"}.get(c, c) for c in text))
    await until(pilot, lambda: form_of(page).text(key) == text)


def row(page: NewPage, key: str) -> FieldRow:
    return next(row for row in page.query(FieldRow) if row.field.key == key)


def mistake(page: NewPage, key: str) -> str:
    shown = row(page, key).query(".mistake")
    return " ".join(str(each.content) for each in shown.results(Static) if each.display)


def told(page: NewPage, pane: str) -> str:
    return str(page.query_one(f"#{pane} .told", Static).content)


def images(root: Path, classes: tuple[str, ...]) -> None:
    """Write a folder data set: 10 grey images of the first class, 5 of the others."""
    for label, name in enumerate(classes):
        folder = root / name.replace("/", "∕")
        folder.mkdir(parents=True)
        for number in range(5 if label else 10):
            pixels = np.full((12, 12, 3), 20 * label + number, np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")


def listed(app: CnnTuiApp) -> list[str]:
    """Return the lines of the list that is open."""
    return [str(option.prompt) for option in app.screen.query_one(OptionList).options]


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


async def test_the_network_preview_tells_what_a_step_needs(app: CnnTuiApp) -> None:
    def line(name: str) -> str:
        console = Console(width=100, file=io.StringIO(), record=True)
        console.print(page.query_one("#stages", Static).content)
        lines = console.export_text().splitlines()
        return next((line for line in lines if line.startswith(name)), "")

    async with app.run_test(size=(200, 60)) as pilot:
        page = await opened(app, pilot)
        await until(pilot, lambda: "94,762 parameters" in told(page, "network"))
        expected = step_of(load_experiment("digits"))
        await until(pilot, lambda: mb(expected.gradients_bytes) in line("gradients"))
        assert mb(expected.peak_bytes) in line("at the peak")
        row(page, "optim.nesterov").editor.choose("false")
        row(page, "optim.name").editor.choose("adamw")
        await until(pilot, lambda: "adamw" in line("optimizer"))
        assert mb(2 * expected.gradients_bytes) in line("optimizer")
        row(page, "model.backbone").editor.choose("resnet18")
        row(page, "model.options").editor.value = ""
        row(page, "data.image_size").editor.value = "32"
        row(page, "model.weights").editor.value = "imagenet"
        warning = 'data.normalize = "dataset", but the imagenet weights of resnet18'
        await until(pilot, lambda: warning in told(page, "network"))
        row(page, "data.normalize").editor.choose("imagenet")
        await until(pilot, lambda: "⚠" not in told(page, "network"))


def step_of(experiment: Experiment) -> StepMemory:
    size = experiment.data.image_size
    assert size is not None
    assert isinstance(experiment.train.batch_size, int)
    network = build_network(experiment.model, classes=10, image_size=size, device="meta")
    return step_memory(
        network,
        image_size=size,
        batch_size=experiment.train.batch_size,
        optim=experiment.optim,
    )


def mb(size: int) -> str:
    return f" {size / 2**20:.2f} MB" if size < 10 * 2**20 else f" {size / 2**20:,.0f} MB"


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


async def test_the_previews_are_what_the_core_says(app: CnnTuiApp) -> None:
    async with app.run_test(size=(200, 60)) as pilot:
        page = await opened(app, pilot)
        await until(pilot, lambda: "train 1,221  val 216  test 360" in told(page, "split"))
        table = page.query_one("#split DataTable", DataTable)
        assert table.row_count == 10
        assert [str(cell) for cell in table.get_row_at(0)[:4]] == ["0", "121", "21", "36"]
        await until(pilot, lambda: "94,762 parameters" in told(page, "network"))
        await until(pilot, lambda: "600 steps" in told(page, "schedule"))
        await until(pilot, lambda: "stored" in told(page, "samples"))
        assert len(page.query(Picture)) == 16
        optim = load_experiment("digits").optim
        [curve] = page.query_one(Chart)._curves
        steps = np.rint(curve.x * 20).astype(int)
        expected = [
            optim.lr * lr_factor(optim, step=int(s), steps_per_epoch=20, epochs=30) for s in steps
        ]
        assert np.allclose(curve.y, expected)
        await enter(pilot, page, "model.options", "widths = [8]")
        # 8 filters of 3x3x3 and their biases, then 10 classes of 8 and theirs
        await until(pilot, lambda: "314 parameters" in told(page, "network"))
        page.query_one(FormView).go_to("freeze.policy")
        await pilot.press("right")
        await until(pilot, lambda: ", 90 train" in told(page, "network"))
        await enter(pilot, page, "optim.lr", "x")
        await until(pilot, lambda: "waits until [optim]" in told(page, "schedule"))
        assert "314 parameters" in told(page, "network")


async def test_a_stale_preview_is_never_shown(
    app: CnnTuiApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, shown, computed = Previews.network, [], []

    def network(previews: Previews, draft: Any) -> Any:
        computed.append(draft.model.options)
        if draft.model.options == {"widths": [4]}:  # an edit arrives while this is computed
            app.call_from_thread(setattr, options.editor, "value", "widths = [8]")
            while "8" not in form_of(page).text("model.options"):
                time.sleep(0.01)
        return real(previews, draft)

    async with app.run_test(size=(200, 60)) as pilot:
        page = await opened(app, pilot)
        await until(pilot, lambda: "94,762 parameters" in told(page, "network"))
        options, pane = row(page, "model.options"), page.query_one(NetworkPane)
        monkeypatch.setattr(Previews, "network", network)
        monkeypatch.setattr(pane, "show", lambda made: shown.append(made.summary.total))
        options.editor.value = "widths = [4]"
        await until(pilot, lambda: shown)
        assert computed == [{"widths": [4]}, {"widths": [8]}]
        assert shown == [314]


async def test_fast_typing_is_never_overwritten(app: CnnTuiApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(app, pilot)
        editor = row(page, "name").editor
        editor.value = "first"
        await pilot.pause()
        texts = [f"name {number}" for number in range(50)]
        for text in texts:  # messages of the earlier ones are still under way
            editor.value = text
        await until(pilot, lambda: form_of(page).text("name") == texts[-1])
        assert editor.value == texts[-1]


async def test_classes_of_any_name_are_shown_literally(app: CnnTuiApp, tmp_path: Path) -> None:
    names = ("[/]", "[bold red]x", "\x1b[31mred")
    images(tmp_path / "data" / "odd [b]", names)
    async with app.run_test(size=(200, 60)) as pilot:
        page = await opened(app, pilot)
        form_view = row(page, "data.root")
        form_view.editor.value = "odd [b]"
        row(page, "data.dataset").editor.choose("folder")
        await until(pilot, lambda: "3 classes" in told(page, "split"))
        table = page.query_one("#split DataTable", DataTable)
        cells = [table.get_row_at(i)[0].plain for i in range(3)]
        assert sorted(cells) == sorted(["[∕]", "[bold red]x", r"\x1b[31mred"])
        assert "odd [b]" in told(page, "split")
        await until(pilot, lambda: "stored" in told(page, "samples"))


async def test_a_missing_data_set_is_told_in_place(
    app: CnnTuiApp, folder: Folder, no_training: list[Path]
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        page = await opened(app, pilot)
        row(page, "data.dataset").editor.choose("folder")
        await until(pilot, lambda: "not found; looked for" in told(page, "split"))
        await pilot.press("ctrl+s")
        problem = page.query_one("#problem", Static)
        await until(pilot, lambda: "not found" in str(problem.content))
        assert problem.display
        assert list_runs(folder.runs_dir) == []
        assert app.screen is page


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


async def test_previews_stand_behind_f3_where_there_is_no_room(app: CnnTuiApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        page = await opened(app, pilot)
        panel, view = page.query_one("PreviewPanel"), page.query_one(FormView)
        assert view.parent.display
        assert not panel.display
        await pilot.press("f3")
        await until(pilot, lambda: panel.display and page.query_one(Tabs).has_focus)
        await until(pilot, lambda: "10 classes" in told(page, "split"))
        await pilot.press("right", "right")
        await until(pilot, lambda: page.query_one("#schedule").display)
        await pilot.press("f3")
        await until(pilot, lambda: row(page, "name").has_focus_within)
        assert not panel.display


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

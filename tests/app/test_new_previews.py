"""What the New page shows beside its form: samples, the split, the network, the rate."""

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_support import Folder
from new_page import enter, form_of, images, opened, row, told, until
from rich.console import Console
from textual.widgets import DataTable, Static, Tabs

from cnn_core.backbones.network import build_network
from cnn_core.config import Experiment
from cnn_core.preset_files import load_experiment
from cnn_core.runs.directory import list_runs
from cnn_core.step_memory import StepMemory, step_memory
from cnn_core.training.schedule import lr_factor
from cnn_tui.app import CnnTuiApp
from cnn_tui.previews import Previews
from cnn_tui.widgets.chart import Chart
from cnn_tui.widgets.form_view import FormView
from cnn_tui.widgets.picture import Picture
from cnn_tui.widgets.preview_panes import NetworkPane

pytestmark = pytest.mark.usefixtures("no_training")


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

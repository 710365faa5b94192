"""The page that looks into a trained run."""

import shutil
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_support import Folder, epoch_finished, started, until
from inspect_support import make_images, trained_run
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Static

from cnn_core.errors import printable
from cnn_core.inspect import evaluation
from cnn_core.inspect.scores import (
    Scores,
    least_certain,
    most_confident_mistakes,
    probabilities,
    score,
)
from cnn_core.progress import Progress
from cnn_core.runs.reader import read_summary
from cnn_core.training.predictions import (
    Predictions,
    load_predictions,
    predictions_path,
    save_predictions,
)
from cnn_tui.app import CnnTuiApp
from cnn_tui.output import percent
from cnn_tui.screens.inspect import InspectPage
from cnn_tui.screens.live import LivePage
from cnn_tui.widgets.confusion import ConfusionMatrix
from cnn_tui.widgets.list_table import ListTable
from cnn_tui.widgets.picture import Picture
from cnn_tui.widgets.picture_grid import PictureGrid
from cnn_tui.workplace import Workplace

CLASSES = ("ant", "bee", "[b]猫猫猫猫猫猫猫猫猫猫猫猫猫猫\x1b[31m")
SMALL = (80, 24)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data, cache and one run that has ended."""
    folder = tmp_path_factory.mktemp("inspect")
    make_images(folder / "data" / "images", CLASSES)
    trained_run(folder, augment={"policy": "flip-crop"})
    return folder


@pytest.fixture
def looked(stored: Path) -> CnnTuiApp:
    return app_over(stored)


def app_over(folder: Path) -> CnnTuiApp:
    return CnnTuiApp(Workplace(folder / "runs", folder / "data", folder / "cache", "cpu"))


def run_of(folder: Path) -> Path:
    (run_dir,) = (folder / "runs").glob("*-tiny-*")
    return run_dir


def kept(folder: Path, part: str = "test", checkpoint: str = "best") -> Predictions:
    return load_predictions(predictions_path(run_of(folder), part, checkpoint))[0]


async def opened(pilot: Pilot[Any], run_dir: Path) -> InspectPage:
    app = pilot.app
    assert isinstance(app, CnnTuiApp)
    app.look_inside(run_dir)
    await until(pilot, lambda: isinstance(app.screen, InspectPage) and app.screen.query(Static))
    page = app.screen
    assert isinstance(page, InspectPage)
    return page


def says(page: InspectPage, selector: str) -> str:
    shown = page.query_one(selector, Static)
    return str(shown.render()) if shown.display else ""


def told(page: InspectPage) -> str:
    return says(page, f"#{page.pane.id} .told")


def rows(page: InspectPage) -> list[list[str]]:
    table = page.query_one(ListTable)
    return [[cell.plain for cell in table.get_row_at(row)] for row in range(table.row_count)]


def captions(page: InspectPage) -> list[str]:
    tiles = [tile for tile in page.query_one(PictureGrid).children if tile.visible]
    return [str(tile.query_one(Static).render()) for tile in tiles]


def lines(widget: Widget) -> list[str]:
    return [widget.render_line(y).text for y in range(widget.size.height)]


def has_image(page: InspectPage, selector: str) -> bool:
    return page.query_one(selector, Picture)._canvas.image is not None


def head(scores: Scores) -> str:
    return f"top-1 {percent(scores.top1)}"


async def test_figures_of_all_and_of_each_class(looked: CnnTuiApp, stored: Path) -> None:
    predictions = kept(stored)
    scores = score(predictions)
    async with looked.run_test(size=(130, 40)) as pilot:
        page = await opened(pilot, run_of(stored))
        await until(pilot, lambda: len(rows(page)) == len(CLASSES))
        assert head(scores) in told(page)
        assert f"loss {scores.loss:.4f}" in told(page)
        assert f"balanced {percent(scores.balanced_accuracy)}" in told(page)
        assert f"ECE {percent(scores.ece)}" in told(page)
        best = read_summary(run_of(stored))["best"]["epoch"]
        assert says(page, "#where") == f"test split, 12 images · best checkpoint, epoch {best}"
        worst_first = sorted(scores.classes, key=lambda one: one.f1)
        assert [row[3] for row in rows(page)] == [percent(one.f1) for one in worst_first]
        for row in rows(page):
            one = next(one for one in scores.classes if row[0][:3] == one.name[:3])
            assert row[1:5] == [
                percent(one.precision), percent(one.recall), percent(one.f1), str(one.support)
            ]  # fmt: skip
        wrong = scores.confusion * ~np.eye(len(CLASSES), dtype=bool)
        for row in rows(page):
            label = next(i for i, one in enumerate(scores.classes) if row[0][:3] == one.name[:3])
            count, other = wrong[label].max(), scores.classes[wrong[label].argmax()].name
            assert row[5].split()[0] == (str(count) if count else "–")
            assert not count or row[5].split()[1][:3] == other[:3]
        one_bin = next(one for one in scores.bins if one.images)
        assert f"{percent(one_bin.accuracy)}" in says(page, "#bins")
        await pilot.press("o")  # by images, the order of equal ones stays
        await pilot.press("o", "o")
        assert [row[0][:3] for row in rows(page)] == ["[b]", "ant", "bee"]


async def test_split_and_checkpoint(looked: CnnTuiApp, stored: Path) -> None:
    async with looked.run_test(size=SMALL) as pilot:
        page = await opened(pilot, run_of(stored))
        await until(pilot, lambda: head(score(kept(stored))) in told(page))
        await pilot.press("s")
        await until(pilot, lambda: says(page, "#where").startswith("val split, 12 images"))
        assert head(score(kept(stored, "val"))) in told(page)
        await pilot.press("c")
        await until(pilot, lambda: "last checkpoint, epoch 2" in says(page, "#where"))
        assert head(score(kept(stored, "val", "last"))) in told(page)


async def test_from_a_cell_to_its_images_and_back(looked: CnnTuiApp, stored: Path) -> None:
    predictions = kept(stored)
    counts = score(predictions).confusion
    wrong = counts * ~np.eye(3, dtype=bool)
    true, predicted = np.unravel_index(wrong.argmax(), wrong.shape)
    async with looked.run_test(size=SMALL) as pilot:
        page = await opened(pilot, run_of(stored))
        await pilot.press("2")
        matrix = page.query_one(ConfusionMatrix)
        await until(pilot, lambda: " taken for " in told(page))
        assert matrix.cursor == (true, predicted)
        assert told(page).startswith(f"{wrong.max()} of {counts[true].sum()}")
        await pilot.press("enter")
        await until(pilot, lambda: page.pane.id == "mistakes" and captions(page))
        grid = page.query_one(PictureGrid)
        assert grid.total == wrong.max()
        await pilot.press("escape")
        assert page.pane.id == "confusion"
        await pilot.press("d", "enter")
        await until(pilot, lambda: "told right" in told(page) and page.pane.id == "mistakes")
        await until(pilot, lambda: grid.total == counts[true, true])
        await pilot.press("escape", "escape")
        await until(pilot, lambda: looked.screen is not page)


async def test_mistakes_uncertain_and_one_large(looked: CnnTuiApp, stored: Path) -> None:
    predictions = kept(stored)
    chances = probabilities(predictions.logits)
    mistakes = most_confident_mistakes(predictions, 99)
    uncertain = least_certain(predictions, 99)
    async with looked.run_test(size=SMALL) as pilot:
        page = await opened(pilot, run_of(stored))
        await pilot.press("3")
        await until(pilot, lambda: captions(page))
        grid = page.query_one(PictureGrid)
        assert grid.total == len(mistakes)
        assert [text.split()[-1] for text in captions(page)] == [
            f"{chances[i].max():.0%}" for i in mistakes[: len(captions(page))]
        ]
        assert all("→ " in text for text in captions(page))
        await pilot.press("m")
        await until(pilot, lambda: grid.total == len(predictions.labels))
        await pilot.press("end", "home", "right", "enter")
        name = predictions.names[uncertain[1]]
        await until(pilot, lambda: says(page, "#one-words").startswith(printable(name)[:9]))
        await until(pilot, lambda: has_image(page, "#one-attention"))
        shares = sorted(chances[uncertain[1]], reverse=True)
        said = says(page, "#one-words")
        assert [f"{share:.1%}" for share in shares] == [
            word for word in said.split() if word.endswith("%")
        ]
        assert has_image(page, "#one-image")
        await pilot.press("escape", "5")
        await until(pilot, lambda: has_image(page, "#maps-image") and "maps of 16x16" in told(page))
        assert page.inspection.image == name


async def test_filters_feature_maps_and_samples(looked: CnnTuiApp, stored: Path) -> None:
    async with looked.run_test(size=SMALL) as pilot:
        page = await opened(pilot, run_of(stored))
        await pilot.press("4")
        await until(pilot, lambda: "4 filters of 3x3, in colour" in told(page))
        assert has_image(page, "#filters-before")
        assert has_image(page, "#filters-after")
        await pilot.press("n")
        await until(pilot, lambda: "6 filters of 3x3, mean of 4 channels" in told(page))
        await pilot.press("p")
        await until(pilot, lambda: "4 filters of 3x3" in told(page))
        await pilot.press("5")
        await until(pilot, lambda: "1 of 2" in told(page))
        await pilot.press("n")
        await until(pilot, lambda: "2 of 2" in told(page) and has_image(page, "#maps-all"))
        await pilot.press("6")
        await until(pilot, lambda: page.pane.query(Picture).first()._canvas.image is not None)
        assert says(page, "#where") == "train split"
        await pilot.press("s")
        await until(pilot, lambda: says(page, "#where") == "val split")
        first = page.pane.query(Picture).first()
        before = first._canvas.image
        await pilot.press("f5")
        await until(pilot, lambda: first._canvas.image is not before)


async def test_what_can_not_be_had_is_told_in_its_place(
    stored: Path, tmp_path: Path, folder: Folder
) -> None:
    shutil.copytree(stored / "runs", tmp_path / "runs", dirs_exist_ok=True)
    for computed in (run_of(tmp_path) / "predictions").glob("*-*.npz"):
        computed.unlink()
    app = app_over(tmp_path)  # without its data
    async with app.run_test(size=SMALL) as pilot:
        page = await opened(pilot, run_of(tmp_path))
        await until(pilot, lambda: head(score(kept(stored))) in told(page))
        await pilot.press("3")
        await until(pilot, lambda: "images" in told(page) and page.pane.has_class("-empty"))
        await pilot.press("4")
        await until(pilot, lambda: "4 filters" in told(page))
        await pilot.press("escape")
        page = await opened(pilot, folder.new("waits"))
        await until(pilot, lambda: "one after its first epoch" in told(page))
        assert "(queued) has no best checkpoint" in told(page)
        await pilot.press("4")
        await until(pilot, lambda: "has no best checkpoint" in told(page))
        page.action_back()
        shutil.rmtree(run_of(tmp_path) / "checkpoints")
        page = await opened(pilot, run_of(tmp_path))
        await pilot.press("s")
        await until(pilot, lambda: "its network is lost" in told(page))


async def test_a_run_that_is_being_trained(folder: Folder, app: CnnTuiApp) -> None:
    run_dir = folder.new("alive")
    logits = np.array([[2.0, 0.0], [0.0, 2.0]], np.float32)
    predictions = Predictions(logits, np.array([0, 0]), ("a.jpg", "b.jpg"), ("cat", "dog"))
    with folder.writing(run_dir) as writer:
        writer.write(started(3))
        writer.write(epoch_finished(1, 0.5))
        save_predictions(predictions_path(run_dir, "test", "best"), predictions, None)
        async with app.run_test(size=SMALL) as pilot:
            page = await opened(pilot, run_dir)
            await until(pilot, lambda: "top-1 50.00%" in told(page))
            assert "epoch 1 so far" in says(page, "#where")
            await pilot.press("c")
            await until(pilot, lambda: "(running) has no last checkpoint" in told(page))


async def test_many_classes(folder: Folder, app: CnnTuiApp) -> None:
    rng = np.random.default_rng(0)
    count = 257
    labels = rng.integers(0, count, 3000)
    labels[:60] = 40
    logits = rng.normal(size=(3000, count)).astype(np.float32)
    logits[np.arange(3000), np.where(rng.random(3000) < 0.7, labels, (labels + 1) % count)] += 6
    logits[labels == 40, 200] += 20
    names = tuple(f"{i}.jpg" for i in range(3000))
    predictions = Predictions(logits, labels, names, tuple(f"class{i:03}" for i in range(count)))
    run_dir = folder.finished()
    save_predictions(predictions_path(run_dir, "test", "best"), predictions, None)
    scores = score(predictions)
    async with app.run_test(size=SMALL) as pilot:
        page = await opened(pilot, run_dir)
        await until(pilot, lambda: len(rows(page)) == count)
        assert rows(page)[0][0] == min(scores.classes, key=lambda one: one.f1).name
        await pilot.press("2")
        matrix = page.query_one(ConfusionMatrix)
        await until(pilot, lambda: told(page) and matrix.size.height)
        assert matrix.cursor == (40, 200)
        assert "class040 taken for class200" in told(page)
        wrong = scores.confusion * ~np.eye(count, dtype=bool)
        for _ in range(3):
            before = wrong[matrix.cursor]
            await pilot.press("n")
            assert wrong[matrix.cursor] <= before
        await pilot.press("N", "N", "N")
        assert matrix.cursor == (40, 200)
        await pilot.press("home", "down", "pagedown")
        assert matrix.cursor == (41 + matrix.size.height - 2, 0)
        await pilot.press("ctrl+end")
        assert matrix.cursor == (256, 256)
        await pilot.pause()
        shown = lines(matrix)
        assert "257 of 257" in shown[0]
        assert shown[-1].startswith("class256")
        assert shown[-1].split()[-1] == str(scores.confusion[256, 256])
        assert "are told right" in told(page)
        await pilot.press("ctrl+home", "left", "up")
        assert matrix.cursor == (0, 0)
        assert all(cell_len(line) == matrix.size.width for line in lines(matrix))


async def test_names_are_shown_literally(looked: CnnTuiApp, stored: Path) -> None:
    async with looked.run_test(size=SMALL) as pilot:
        page = await opened(pilot, run_of(stored))
        await until(pilot, lambda: rows(page))
        assert any("[b]猫" in row[0] for row in rows(page))
        for key in "12345":
            await pilot.press(key)
            await until(pilot, lambda: "loading" not in told(page))
            await pilot.pause()
            strips = pilot.app.screen._compositor.render_strips()
            assert all("\x1b" not in strip.text for strip in strips)
            assert all(cell_len(strip.text) == SMALL[0] for strip in strips)
        await pilot.press("2", "ctrl+home")
        assert "[b]猫" in told(page)
        assert "\\x1b[31m" in told(page)


async def test_leaving_ends_what_is_under_way(
    looked: CnnTuiApp, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def endless(*args: object, **options: object) -> Generator[Progress, None, Predictions]:
        begun.set()
        try:
            while True:
                yield Progress("evaluating", 1, 3)
        finally:
            ended.set()

    monkeypatch.setattr(evaluation, "evaluated", endless)
    async with looked.run_test(size=SMALL) as pilot:
        page = await opened(pilot, run_of(stored))
        await until(pilot, lambda: "evaluating 1/3" in says(page, "#where"))
        await pilot.press("4")  # needs other things
        await until(pilot, ended.is_set)
        await until(pilot, lambda: "filters" in told(page))
        begun.clear()
        ended.clear()
        await pilot.press("1")
        await until(pilot, begun.is_set)
        await pilot.press("escape")
        await until(pilot, ended.is_set)


async def test_it_opens_from_the_list_and_from_a_run(looked: CnnTuiApp, stored: Path) -> None:
    async with looked.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: looked.screen.query("RunsTable").first().rows)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(looked.screen, InspectPage))
        await pilot.press("escape", "enter")
        await until(pilot, lambda: isinstance(looked.screen, LivePage))
        await pilot.press("i")
        await until(pilot, lambda: isinstance(looked.screen, InspectPage))
        assert looked.screen.run_dir == run_of(stored)

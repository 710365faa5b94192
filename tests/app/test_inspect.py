"""The page that looks into a trained run."""

from pathlib import Path

import numpy as np
from app_support import until
from inspect_page import (
    CLASSES,
    SMALL,
    captions,
    has_image,
    head,
    kept,
    opened,
    rows,
    run_of,
    says,
    told,
)

from cnn_core.errors import printable
from cnn_core.inspect.scores import (
    least_certain,
    most_confident_mistakes,
    probabilities,
    score,
)
from cnn_core.runs.reader import read_summary
from cnn_tui.app import CnnTuiApp
from cnn_tui.output import percent
from cnn_tui.screens.inspect import InspectPage
from cnn_tui.screens.live import LivePage
from cnn_tui.widgets.confusion import ConfusionMatrix
from cnn_tui.widgets.picture import Picture
from cnn_tui.widgets.picture_grid import PictureGrid


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

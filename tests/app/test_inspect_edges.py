"""The page that looks into a run: what is missing, hostile, large, live or left."""

import shutil
import threading
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from app_support import Folder, epoch_finished, started, until
from inspect_page import (
    SMALL,
    app_over,
    head,
    kept,
    lines,
    opened,
    rows,
    run_of,
    says,
    told,
)
from rich.cells import cell_len

from cnn_core.inspect import evaluation
from cnn_core.inspect.scores import (
    score,
)
from cnn_core.progress import Progress
from cnn_core.training.predictions import (
    Predictions,
    predictions_path,
    save_predictions,
)
from cnn_tui.app import CnnTuiApp
from cnn_tui.widgets.confusion import ConfusionMatrix


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

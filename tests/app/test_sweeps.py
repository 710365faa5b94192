"""What the list of sweeps and the page of one show."""

from pathlib import Path

import pytest
from app_support import Folder, started, until
from sweep_page import SIZE, column, head, left_of, listed, opened, picture, rows
from sweep_support import GRID, add_trials, begun, claimed, random_sweep
from textual.widgets import Static

from cnn_core.search.study import Study
from cnn_core.search.sweep_files import load_sweep
from cnn_tui.app import CnnTuiApp
from cnn_tui.screens.compare import ComparePage
from cnn_tui.screens.live import LivePage
from cnn_tui.screens.pick import Pick
from cnn_tui.screens.sweep import SweepPage
from cnn_tui.screens.sweeps import SweepsPage
from cnn_tui.widgets.chart import Chart

HOSTILE = """
preset = "digits"
[search]
sampler = "grid"
[parameters.seed]
values = [1, 2, 3]
labels = ["[bold red]x[/] \\u001b[31m", "long\\n%s", "日本語"]
""" % ("name " * 12)


async def test_no_sweep_says_how_to_begin_one(app: CnnTuiApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        page = await listed(pilot)
        assert "digits-learning-rate" in str(page.query_one("#sweeps-said").render())
        await pilot.press("r", "x", "e", "o", "d", "enter")
        assert app.screen is page
        assert not app._notifications


async def test_the_list_tells_how_far_each_sweep_is(app: CnnTuiApp, folder: Folder) -> None:
    done = random_sweep(folder, "a-done", trials=2)
    add_trials(folder, done, [("finished", 0.5), ("finished", 0.7)])
    half = random_sweep(folder, "b-half")
    add_trials(folder, half, [("finished", 0.9), ("failed", None)])
    random_sweep(folder, "c-new")
    random_sweep(folder, "d-damaged")
    (folder.runs_dir / "sweeps" / "d-damaged" / "sweep.toml").write_text("trials = [")
    async with app.run_test(size=SIZE) as pilot:
        page = await listed(pilot)
        shown = rows(page, "#sweeps")
        assert [row[:4] for row in shown[:3]] == [
            ["a-done", "✓ done", "2/2", "70.00%"],
            ["b-half", "■ stopped", "2/6", "90.00%"],
            ["c-new", "○ not begun", "0/6", "–"],
        ]
        assert shown[3][1] == "✗ unreadable"
        await pilot.press("G")
        await until(pilot, lambda: "TOML" in str(page.query_one("#error", Static).render()))
        await pilot.press("up", "up", "enter")
        await until(pilot, lambda: isinstance(app.screen, SweepPage))
        assert app.screen.name_of_sweep == "b-half"


async def test_trials_are_followed_while_they_are_trained(app: CnnTuiApp, folder: Folder) -> None:
    sweep = random_sweep(folder)
    add_trials(folder, sweep, [("finished", 0.5)])
    study = Study(sweep)
    async with app.run_test(size=SIZE) as pilot:
        page = await opened(pilot, "search")
        assert "■ stopped" in head(page)
        assert "1 of 6 ended" in head(page)
        run_dir = folder.new("search-002")
        claim = claimed(study, run_dir)
        with folder.writing(run_dir) as writer:
            writer.write(started(3))
            await until(pilot, lambda: "▶ in training" in head(page) and "1 running" in head(page))
            assert column(page, 3) == ["✓ finished", "▶ running"]
        study.settle(claim, "finished", 0.8)
        await until(pilot, lambda: "best 80.00%  trial 2" in head(page))
        assert column(page, 2) == ["50.00%", "80.00% *"]


async def test_trials_are_sorted_by_key_and_by_click(app: CnnTuiApp, folder: Folder) -> None:
    sweep = random_sweep(folder)
    add_trials(folder, sweep, [("finished", 0.5), ("pruned", None), ("finished", 0.7)])
    async with app.run_test(size=SIZE) as pilot:
        page = await opened(pilot, "search")
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Pick))
        await pilot.press("down", "enter")
        await until(pilot, lambda: column(page, 1) == ["3", "1", "2"])
        assert page.table.key == "1"
        late = folder.finished("search-004", accs=(0.1, 0.6))
        study = Study(sweep)
        study.settle(claimed(study, late), "finished", 0.6)
        await until(pilot, lambda: column(page, 1) == ["3", "4", "1", "2"])
        assert page.table.key == "1"  # the cursor stays on its trial
        assert page.table.cursor_row == 2
        await pilot.click("#trials", offset=(left_of(page, "value") + 3, 0))
        await until(pilot, lambda: column(page, 1) == ["2", "1", "4", "3"])
        rates = [float(rate) for rate in column(page, 4)]
        await pilot.click("#trials", offset=(left_of(page, "optim.lr") + 3, 0))
        await until(pilot, lambda: [float(rate) for rate in column(page, 4)] == sorted(rates))


async def test_a_trial_opens_its_run_and_selected_ones_are_compared(
    app: CnnTuiApp, folder: Folder
) -> None:
    sweep = random_sweep(folder)
    runs = add_trials(folder, sweep, [("finished", 0.5), ("failed", None), ("finished", 0.6)])
    async with app.run_test(size=SIZE) as pilot:
        page = await opened(pilot, "search")
        await pilot.press("c")
        assert any("Select two trials" in note.message for note in app._notifications)
        await pilot.press("space")
        assert str(page.query_one("#error", Static).render()) == (
            "trial 2 failed: CUDA out of [memory]"
        )
        await pilot.press("down", "space")
        assert column(page, 0) == ["●", " ", "●"]
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ComparePage))
        await pilot.press("escape", "enter")
        await until(pilot, lambda: isinstance(app.screen, LivePage))
        assert app.screen.run_dir.name == runs[2]


async def test_the_metric_over_parameters_of_each_kind(app: CnnTuiApp, folder: Folder) -> None:
    sweep = begun(folder, "grid", GRID)
    ends = [("finished", 0.5), ("finished", 0.6), ("finished", 0.7), ("finished", 0.9)]
    add_trials(folder, sweep, ends)  # type: ignore[arg-type]
    async with app.run_test(size=SIZE) as pilot:
        page = await opened(pilot, "grid")
        chart = page.query_one("#metric", Chart)
        labels = lambda: [curve.label for curve in chart._curves]  # noqa: E731
        assert chart.title == "best.val_acc by model.dropout"
        assert labels() == ["best.val_acc", "best.val_acc, mean", "best: trial 4"]
        means = chart._curves[1]
        assert means.x.tolist() == [0.1, 0.2]
        assert means.y.tolist() == pytest.approx([55.0, 80.0])
        await pilot.press("y")
        await until(pilot, lambda: "training, mean" in labels() and "validation, mean" in labels())
        training = next(curve for curve in chart._curves if curve.label == "training")
        assert training.y.tolist() == pytest.approx([51.0, 61.0, 71.0, 91.0])
        await pilot.press("y")
        await until(pilot, lambda: chart.title.startswith("test accuracy"))
        await pilot.press("p")
        await until(pilot, lambda: chart.title.endswith("by seed"))


async def test_the_other_pictures(app: CnnTuiApp, folder: Folder) -> None:
    sweep = random_sweep(folder)
    values = (0.5, 0.8, 0.6, 0.7, 0.75)
    add_trials(folder, sweep, [*(("finished", value) for value in values), ("diverged", None)])
    async with app.run_test(size=SIZE) as pilot:
        page = await opened(pilot, "search")
        await pilot.press("v")
        await until(pilot, lambda: "best of 5 trials that finished" in picture(page, "parallel"))
        drawn = picture(page, "parallel")
        assert all(name in drawn for name in ("lr", "weight_decay", "split_seed", "best.val_acc"))
        assert "80.00%" in drawn
        assert "50.00%" in drawn
        await pilot.press("3")
        chart = page.query_one("#history", Chart)
        await until(pilot, lambda: chart._curves)
        so_far = next(curve for curve in chart._curves if curve.label == "best so far")
        assert so_far.y.tolist() == pytest.approx([50, 50, 80, 80, 80, 80, 80, 80, 80])
        await pilot.press("4")
        await until(pilot, lambda: "%" in picture(page, "importance"))
        shown = picture(page, "importance")
        assert all(key in shown for key in ("optim.lr", "optim.weight_decay", "data.split_seed"))
        await pilot.press("z")
        assert not page.query_one("#trials-side").display
        await pilot.press("escape")
        assert page.query_one("#trials-side").display
        assert app.screen is page


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_sweeps_with_nothing_to_show(
    app: CnnTuiApp, folder: Folder, size: tuple[int, int]
) -> None:
    random_sweep(folder, "none")
    failed = random_sweep(folder, "failed", trials=2)
    add_trials(folder, failed, [("failed", None), ("failed", None)])
    one = random_sweep(folder, "x" * 60)
    add_trials(folder, one, [("finished", 0.5)])
    async with app.run_test(size=size) as pilot:
        for name, said in (
            ("none", "no trial has finished"),
            ("failed", "no trial has finished"),
            ("x" * 60, "trial 1"),
        ):
            page = await opened(pilot, name)
            assert said in head(page)
            for _ in range(4):
                await pilot.press("v")
                await pilot.pause()
            await pilot.press("4")
            await until(pilot, lambda page=page: "four finished" in picture(page, "importance"))
            await pilot.press("escape")
            await until(pilot, lambda page=page: app.screen is not page)
        assert not app._notifications


async def test_names_are_shown_literally_and_cut(app: CnnTuiApp, folder: Folder) -> None:
    sweep = begun(folder, "hostile", HOSTILE)
    add_trials(folder, sweep, [("finished", 0.5), ("finished", 0.6), ("failed", None)])
    async with app.run_test(size=(80, 24)) as pilot:
        page = await opened(pilot, "hostile")
        assert column(page, 4)[0] == "[bold red]x[/] \\x1b…"
        assert "trial 2: seed long\\nname" in head(page)
        for name in ("metric", "parallel"):
            assert "[bold" in picture(page, name)
            assert "\x1b" not in picture(page, name)
            await pilot.press("v")
            await pilot.pause()
        assert not app._notifications


def test_the_sweep_file_of_the_help_is_right(tmp_path: Path) -> None:
    lines = [line[4:] for line in SweepsPage.HELP_TEXT.splitlines() if line.startswith("    ")]
    file = tmp_path / "rates.toml"
    file.write_text("\n".join(lines))
    sweep, _ = load_sweep(file)
    assert (sweep.name, sweep.wanted) == ("rates", 12)

"""Sweeps begun, stopped, extended, deleted from the app."""

from pathlib import Path
from typing import Any

import pytest
from app_support import Folder, started, until
from sweep_page import SIZE, head, listed, opened, rows
from sweep_support import GRID, add_trials, begun, claimed, random_sweep
from textual.widgets import Input, Static

from cnn_core.search.begun import sweep_names
from cnn_core.search.folder import open_sweep
from cnn_core.search.study import Study
from cnn_tui.app import CnnTuiApp
from cnn_tui.screens.dialogs import Ask, Prompt
from cnn_tui.screens.run_files import RunFiles
from cnn_tui.screens.start_sweep import PickSweep, StartSweep
from cnn_tui.widgets.sweep_pictures import SweepPictures


@pytest.fixture
def begun_processes(app: CnnTuiApp, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note which sweeps a process was started for, and start none."""
    names: list[str] = []

    class Process:
        def poll(self) -> int | None:
            return None

        def terminate(self) -> None:
            names.append("terminated")

    def drive(folder: Any, data_dir: Path, device: str) -> Process:
        names.append(folder.sweep.name)
        return Process()

    monkeypatch.setattr("cnn_tui.sweep_starts.drive_in_background", drive)
    return names


async def test_a_shipped_sweep_is_started(
    app: CnnTuiApp, folder: Folder, begun_processes: list[str]
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        page = await listed(pilot)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, PickSweep))
        await pilot.press(*"digits", "enter")
        await until(pilot, lambda: isinstance(app.screen, StartSweep))
        app.screen.query_one("#trials", Input).value = "none"
        await pilot.press("enter")
        said = app.screen.query_one(".dialog-error", Static)
        assert "expected a whole number" in str(said.render())
        app.screen.query_one("#trials", Input).value = "7"
        app.screen.query_one("#workers", Input).value = "2"
        await pilot.press("enter")
        await until(pilot, lambda: begun_processes)
        sweep = open_sweep(folder.runs_dir, "digits-learning-rate").sweep
        assert sweep.trials == 7
        assert sweep.launch.workers == 2
        await until(pilot, lambda: [row[1] for row in rows(page, "#sweeps")] == ["○ starting…"])
        await pilot.press("r")
        assert any("in training already" in note.message for note in app._notifications)
        await pilot.press("x")  # before any trial: there is nobody else to ask
        await until(pilot, lambda: "terminated" in begun_processes)


async def test_what_is_wrong_with_a_sweep_file_is_told(
    app: CnnTuiApp, folder: Folder, tmp_path: Path
) -> None:
    (tmp_path / "wrong.toml").write_text('preset = "digits"\n[parameters]\noptim.lrr = 3\n')
    async with app.run_test(size=SIZE) as pilot:
        page = await listed(pilot)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, PickSweep))
        await pilot.press(*"nothing", "enter")
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        app.screen.query_one(Input).value = str(tmp_path / "wrong.toml")
        await pilot.press("enter")
        said = app.screen.query_one(".dialog-error", Static)
        await until(pilot, lambda: "optim.lrr" in str(said.render()))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.screen is page)
        assert sweep_names(folder.runs_dir) == []


async def test_a_sweep_whose_data_is_missing_starts_no_process(
    app: CnnTuiApp, folder: Folder, begun_processes: list[str]
) -> None:
    begun(
        folder,
        "away",
        'preset = "caltech101-alexnet-scratch"\ntrials = 2\n'
        "[parameters]\noptim.lr = { values = [0.1, 0.2] }\n",
    )
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, "away")
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, StartSweep))
        await pilot.press("enter")
        await until(pilot, lambda: any("not found" in n.message for n in app._notifications))
        assert begun_processes == []


async def test_a_process_that_ends_at_once_is_told_with_its_error(
    app: CnnTuiApp, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = random_sweep(folder)

    class Process:
        def poll(self) -> int:
            return 2

    def drive(*_: Any) -> Process:
        sweep.log.write_text("loading\nerror: no [slurm] here\n")
        return Process()

    monkeypatch.setattr("cnn_tui.sweep_starts.drive_in_background", drive)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, "search")
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, StartSweep))
        await pilot.press("enter")
        told = "sweep search: error: no [slurm] here"
        await until(pilot, lambda: any(told in note.message for note in app._notifications))


async def test_extend_and_go_on(app: CnnTuiApp, folder: Folder, begun_processes: list[str]) -> None:
    sweep = random_sweep(folder, trials=1)
    add_trials(folder, sweep, [("finished", 0.5)])
    async with app.run_test(size=SIZE) as pilot:
        page = await opened(pilot, "search")
        await pilot.press("r")
        assert any("extend it" in note.message for note in app._notifications)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        app.screen.query_one(Input).value = "1"
        await pilot.press("enter")
        said = app.screen.query_one(".dialog-error", Static)
        assert "not more than the 1" in str(said.render())
        app.screen.query_one(Input).value = "4"
        await pilot.press("enter")
        await until(pilot, lambda: begun_processes == ["search"])
        await until(pilot, lambda: "1 of 4 ended" in head(page))
        assert "○ starting…" in head(page)


async def test_a_grid_has_no_more_than_its_combinations(app: CnnTuiApp, folder: Folder) -> None:
    begun(folder, "grid", GRID)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, "grid")
        await pilot.press("e")
        await until(pilot, lambda: any("all 6" in note.message for note in app._notifications))


async def test_a_sweep_that_trains_is_stopped_and_not_deleted(
    app: CnnTuiApp, folder: Folder
) -> None:
    sweep = random_sweep(folder)
    run_dir = folder.new("search-001")
    claimed(Study(sweep), run_dir)
    async with app.run_test(size=SIZE) as pilot:
        with folder.writing(run_dir) as writer:
            writer.write(started(3))
            page = await opened(pilot, "search")
            await until(pilot, lambda: "in training" in head(page))
            await pilot.press("d")
            await until(pilot, lambda: any("stop it" in n.message for n in app._notifications))
            await pilot.press("x")
            await until(pilot, lambda: sweep.stop_request() is not None)


@pytest.mark.parametrize("with_runs", [False, True])
async def test_delete(app: CnnTuiApp, folder: Folder, with_runs: bool) -> None:
    sweep = random_sweep(folder)
    runs = add_trials(folder, sweep, [("finished", 0.5), ("finished", 0.6)])
    async with app.run_test(size=SIZE) as pilot:
        page = await listed(pilot)
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        await pilot.press("r" if with_runs else "s")
        await until(pilot, lambda: not sweep.path.exists())
        await until(pilot, lambda: "No sweep" in str(page.query_one("#sweeps-said").render()))
        await until(
            pilot,
            lambda: [(folder.runs_dir / run).exists() for run in runs] == [not with_runs] * 2,
        )
        assert not list(folder.runs_dir.glob(".deleted*"))


async def test_log_and_files(
    app: CnnTuiApp, folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sweep = random_sweep(folder)
    add_trials(folder, sweep, [("finished", 0.5), ("finished", 0.6)])
    sweep.log.write_text("trial 1 [bold]began[/]\n")
    async with app.run_test(size=SIZE) as pilot:
        page = await opened(pilot, "search")
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, RunFiles))
        await until(
            pilot, lambda: "[bold]began" in str(app.screen.query_one("#log-tail", Static).render())
        )
        await pilot.press("escape")
        for key, suffix in (("c", "csv"), ("s", "svg")):
            await pilot.press("w")
            await until(pilot, lambda: isinstance(app.screen, Ask))
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, Prompt))
            await pilot.press("enter")
            file = tmp_path / f"sweep-search.{suffix}"
            await until(pilot, file.exists)
        lines = (tmp_path / "sweep-search.csv").read_text().splitlines()
        assert lines[0].startswith("trial,optim.lr,optim.weight_decay,data.split_seed,status,")
        assert len(lines) == 3
        assert page.query_one(SweepPictures).shown == "metric"

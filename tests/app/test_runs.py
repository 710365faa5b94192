"""The page of runs: what it shows, and how one finds runs."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from app_support import STEPS, Folder, epoch_finished, started, steps, until
from runs_page import lines, names, said, shown, table
from textual.widgets import Input, OptionList, Static

from cnn_core.runs.reader import read_summary
from cnn_tui.app import CnnTuiApp
from cnn_tui.screens.dialogs import Prompt
from cnn_tui.screens.new import NewPage
from cnn_tui.screens.queue import QueuePage
from cnn_tui.screens.runs import RunsPage
from cnn_tui.screens.runs_dialogs import SortRuns
from cnn_tui.settings import State
from cnn_tui.widgets.filter_line import FilterLine
from cnn_tui.widgets.run_preview import RunPreview
from cnn_tui.widgets.runs_table import RunsTable

HOSTILE = ("[/]", "[bold red]x", "\x1b[31mred", "a" * 120, "名前は長い" * 20)


async def test_a_folder_without_runs_says_how_to_begin(app: CnnTuiApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        empty = app.screen.query_one("#runs-empty", Static)
        await until(pilot, lambda: "No runs yet" in str(empty.content))
        assert "cnn-tui run digits" in str(empty.content)
        await pilot.press("enter", "d", "x", "c", "space", "a", "v", "down", "G")
        assert isinstance(app.screen, RunsPage)
        await pilot.press("n")
        await until(pilot, lambda: any(isinstance(screen, NewPage) for screen in app.screen_stack))


async def test_the_first_run_of_a_folder_takes_the_keys(app: CnnTuiApp, folder: Folder) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen.query_one("#runs-empty").display)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, QueuePage))
        folder.finished("one")
        await pilot.press("escape")
        await shown(pilot, 1)
        await until(pilot, lambda: app.focused is table(app))


async def test_rows_tell_of_their_runs_and_appear_by_themselves(
    app: CnnTuiApp, folder: Folder
) -> None:
    first = folder.finished("first", accs=(0.25, 0.5))
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot, 1)
        await pilot.pause()
        (line,) = [line for line in lines(app) if "first" in line]
        assert "✓" in line
        assert "50.00%" in line
        assert "2/2" in line
        second = folder.new("second")
        await shown(pilot, 2)
        assert names(app) == ["second", "first"]
        assert table(app).current["id"] == first.name  # type: ignore[index]
        shutil.rmtree(first)
        await shown(pilot, 1)
        assert table(app).current["id"] == second.name  # type: ignore[index]


async def test_a_live_run_is_followed(app: CnnTuiApp, folder: Folder) -> None:
    run_dir = folder.new("live")
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(pilot, 1)
        with folder.writing(run_dir) as writer:
            writer.write(started(3))
            writer.write(epoch_finished(1, 0.5))
            await until(pilot, lambda: any("▶" in line and "1/3" in line for line in lines(app)))
            writer.write(epoch_finished(2, 0.75))
            await until(pilot, lambda: any("75.00%" in line for line in lines(app)))
        await until(pilot, lambda: any("!" in line for line in lines(app)))


async def test_names_are_shown_literally(app: CnnTuiApp, folder: Folder) -> None:
    for name in HOSTILE:
        folder.finished(name)
    async with app.run_test(size=(200, 40)) as pilot:
        await shown(pilot, len(HOSTILE))
        await pilot.pause()
        text = "\n".join(lines(app))
        for part in ("[/]", "[bold red]x", "\\x1b[31mred", "a" * 20, "名前は長い"):
            assert part in text
        for _ in HOSTILE:  # the preview too
            row = table(app).current
            assert row is not None
            name = app.screen.query_one("#preview-name", Static)
            wanted = row["name"].replace("\x1b", "\\x1b")
            await until(pilot, lambda name=name, wanted=wanted: str(name.content) == wanted)
            await pilot.press("down")
        await pilot.press("space", "d")
        await until(pilot, lambda: isinstance(app.screen, Prompt))


async def test_filter_while_typing_with_mistakes_in_place(
    app: CnnTuiApp, folder: Folder, tmp_path: Path
) -> None:
    for number, acc in enumerate((0.3, 0.6, 0.9)):
        folder.finished(f"run{number}", accs=(acc,))
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot, 3)
        await pilot.press("slash")
        line = app.screen.query_one(FilterLine)
        line.value = "RUN1"
        await shown(pilot, 1)
        assert "1 of 3 runs · filter: RUN1" in said(app)
        line.value = "best.val_ac > 0.5"
        await until(pilot, lambda: "did you mean 'best.val_acc'" in said(app))
        assert names(app) == ["run1"]  # as before the mistake
        line.value = "best.val_acc > 0.5"
        await shown(pilot, 2)
        await pilot.press("enter")
        assert app.focused is table(app)
        assert not line.display
        assert State.read(tmp_path / "config").filter == "best.val_acc > 0.5"
        await pilot.press("slash")
        line.value = "nothing like it"
        await shown(pilot, 0)
        await pilot.press("escape")  # as it was
        await shown(pilot, 2)
        await until(pilot, lambda: app.focused is table(app))
        await pilot.press("escape")  # all
        await shown(pilot, 3)
        assert State.read(tmp_path / "config").filter == ""


async def test_a_remembered_filter_that_no_longer_fits_hides_nothing(
    app: CnnTuiApp, folder: Folder
) -> None:
    folder.finished()
    app.state.filter, app.state.sort = "nonsense > 3", "-nonsense"
    async with app.run_test() as pilot:
        await shown(pilot, 1)
        await until(pilot, lambda: "nonsense" in said(app))


async def test_sorted_by_dialog_by_keys_and_by_header(
    app: CnnTuiApp, folder: Folder, tmp_path: Path
) -> None:
    for name, acc in (("b", 0.9), ("a", 0.3), ("c", 0.6)):
        folder.finished(name, accs=(acc,))
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(pilot, 3)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, SortRuns))
        options = app.screen.query_one(OptionList)
        options.highlighted = options.get_option_index("name")
        await pilot.press("enter")
        await until(pilot, lambda: names(app) == ["a", "b", "c"])
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, SortRuns))
        line = app.screen.query_one(Input)
        line.focus()
        line.value = "-best.val_ac"
        error = app.screen.query_one(".dialog-error", Static)
        await until(pilot, lambda: "did you mean" in str(error.content))
        await pilot.press("enter")
        assert isinstance(app.screen, SortRuns)
        line.value = "-best.val_acc"
        await pilot.press("enter")
        await until(pilot, lambda: names(app) == ["b", "c", "a"])
        await until(pilot, lambda: isinstance(app.screen, RunsPage))
        await pilot.pause()
        head = lines(app)[0]
        assert "best val↓" in head
        await pilot.click(RunsTable, offset=(head.index("best val"), 0))
        await until(pilot, lambda: names(app) == ["a", "c", "b"])
        await until(pilot, lambda: "best val↑" in lines(app)[0])
        assert State.read(tmp_path / "config").sort == "best.val_acc"


async def test_the_preview_follows_the_cursor_and_is_remembered(
    app: CnnTuiApp, folder: Folder, tmp_path: Path
) -> None:
    folder.finished("digits", "optim.lr=0.5")
    broken = folder.new("broken")
    (broken / "config.toml").unlink()
    (broken / "summary.json").write_text("{")
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(pilot, 2)
        text = app.screen.query_one("#preview-text", Static)

        def facts() -> str:
            table: Any = text.content
            columns = [[str(cell) for cell in column.cells] for column in table.columns]
            return "\n".join(map(": ".join, zip(*columns, strict=True)))

        await until(pilot, lambda: text.content and "optim.lr = 0.5 (0.03)" in facts())
        chart: Any = app.screen.query_one("#preview-loss")
        await until(pilot, lambda: [len(curve.x) for curve in chart._curves] == [3, 3])
        await pilot.press("down")
        await until(pilot, lambda: "damaged run" in facts())
        assert "log.txt" in facts()
        await until(pilot, lambda: [len(curve.x) for curve in chart._curves] == [0, 0])
        await pilot.press("v")
        assert not app.screen.query_one(RunPreview).display
        assert "runs.preview" in State.read(tmp_path / "config").hidden_panes
        await pilot.resize_terminal(80, 24)
        await pilot.press("v")
        assert app.screen.query_one(RunPreview).display
        assert "runs.preview" in State.read(tmp_path / "config").hidden_panes


async def test_the_folder_goes_and_comes_back(app: CnnTuiApp, folder: Folder) -> None:
    folder.finished()
    async with app.run_test() as pilot:
        await shown(pilot, 1)
        folder.runs_dir.rename(folder.runs_dir.with_name("away"))
        await shown(pilot, 0)
        folder.runs_dir.write_text("a file")
        await until(pilot, lambda: "Not a directory" in said(app))
        folder.runs_dir.unlink()
        folder.runs_dir.with_name("away").rename(folder.runs_dir)
        await shown(pilot, 1)
        await until(pilot, lambda: said(app).startswith("1 run "))


async def test_a_thousand_runs_draw_only_what_is_seen(app: CnnTuiApp, folder: Folder) -> None:
    model = folder.finished("model", accs=(0.5,))
    summary = read_summary(model)
    for number in range(999):
        run_id = f"20200101-000000-run-{number:04x}"
        (folder.runs_dir / run_id).mkdir()
        own = {"id": run_id, "name": f"run{number:03}", "created": 1e9 + number}
        (folder.runs_dir / run_id / "summary.json").write_text(json.dumps(summary | own))
    app.state.sort = "name"
    async with app.run_test(size=(100, 30)) as pilot:
        await shown(pilot, 1000)
        view = table(app)
        await pilot.press("end")
        assert view.current["name"] == "run998"  # type: ignore[index]
        await until(pilot, lambda: "run998" in lines(app)[-1])
        await pilot.press("g", "pagedown")
        seen = view.size.height - 1
        assert view.cursor == seen - 1
        assert "model" in lines(app)[1]
        await pilot.press("j")
        await until(pilot, lambda: "run000" in lines(app)[1])
        cursor = view.current
        await pilot.press("slash")
        app.screen.query_one(FilterLine).value = str(cursor["name"])  # type: ignore[index]
        await shown(pilot, 1)
        await pilot.press("ctrl+u")
        await shown(pilot, 1000)
        assert view.current is cursor
        view.scroll_to(y=500, animate=False)
        await pilot.pause()
        view.show([*view.rows], sort="name", places={})  # as a poll does
        assert round(view.scroll_y) == 500
        assert len(view._drawn) <= view.size.height


async def test_nothing_is_drawn_while_nothing_changes(app: CnnTuiApp, folder: Folder) -> None:
    folder.finished("old")
    async with app.run_test(size=(100, 30)) as pilot:
        await shown(pilot, 1)
        view = table(app)
        await pilot.pause()
        refreshed: list[object] = []
        view.refresh = lambda *regions, **_: refreshed.append(regions) or view  # type: ignore[method-assign,func-returns-value]
        view._moment = type(view._moment)(now=view.rows[0]["created"] + 7200.5)
        view._drawn = {y: view._line(y) for y in range(view.size.height)}
        view.show(view.rows, sort="-created", places={})
        assert not [region for region in refreshed if region == ()]
        view.mark({view.rows[0]["id"]})
        assert refreshed


def test_the_page_needs_no_torch_or_charts() -> None:
    heavy = ("torch", "numpy", "pydantic", "plotext", "sklearn")
    code = (
        "import sys, cnn_tui.screens.runs; "
        f"print([module for module in {heavy} if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_steps_make_a_curve_until_epochs_do(app: CnnTuiApp, folder: Folder) -> None:
    run_dir = folder.new("young")
    folder.write(run_dir, started(9), *(steps(1, step, 1.0) for step in range(1, STEPS)))
    async with app.run_test(size=(120, 40)) as pilot:
        await shown(pilot, 1)
        await until(pilot, lambda: app.screen.query("#preview-loss"))
        chart: Any = app.screen.query_one("#preview-loss")
        await until(pilot, lambda: [len(c.x) for c in chart._curves] == [0, 0, STEPS - 1])

"""The page that compares runs."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from app_support import Folder, epoch_finished, started, until
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from cnn_tui.app import CnnTuiApp
from cnn_tui.screens.compare import ComparePage
from cnn_tui.screens.dialogs import Ask, Prompt
from cnn_tui.screens.live import LivePage
from cnn_tui.screens.pick_run import PickRun
from cnn_tui.widgets.chart import Chart
from cnn_tui.widgets.list_table import ListTable

LARGE = (120, 40)


@pytest.fixture
def pair(folder: Folder) -> list[Path]:
    return [
        folder.finished("first", accs=(0.5, 0.6)),
        folder.finished("second", "optim.lr=0.5", accs=(0.6, 0.75)),
    ]


async def opened(pilot: Pilot[Any], run_dirs: list[Path]) -> ComparePage:
    app = pilot.app
    assert isinstance(app, CnnTuiApp)
    app.compare(run_dirs)
    await until(pilot, lambda: isinstance(app.screen, ComparePage) and app.screen.query(ListTable))
    page = app.screen
    assert isinstance(page, ComparePage)
    await until(pilot, lambda: len(cells(page, "#runs")) == len(run_dirs), what="runs are shown")
    return page


def cells(page: ComparePage, table: str) -> list[list[str]]:
    shown = page.query_one(table, ListTable)
    return [[cell.plain for cell in shown.get_row_at(row)] for row in range(shown.row_count)]


def runs(page: ComparePage) -> dict[str, list[str]]:
    return {row[1][0]: row for row in cells(page, "#runs")}


def drawn(page: ComparePage, chart: str = "#chart-left") -> str:
    shown = page.query_one(chart, Chart)
    lines = [shown.render_line(y).text for y in range(shown.size.height)]
    return "\n".join([str(shown.border_title), *lines])


async def test_two_runs_with_what_differs_and_the_best(app: CnnTuiApp, pair: list[Path]) -> None:
    async with app.run_test(size=LARGE) as pilot:
        page = await opened(pilot, pair)
        assert runs(page)["A"][2:6] == ["first", "✓ finished", "60.00%", "60.00%"]
        assert runs(page)["B"][2:6] == ["second", "✓ finished", "75.00% *", "75.00% *"]
        assert cells(page, "#settings")[0][0::2] == ["optim.lr", "0.5"]
        assert "training loss" in drawn(page)
        assert "validation accuracy" in drawn(page, "#chart-right")
        assert "A" in drawn(page).splitlines()[1]
        await pilot.press("h")
        await until(pilot, lambda: len(cells(page, "#settings")) > 20)
        await pilot.press("h", "v")
        assert page.query_one("#summary").display
        assert cells(page, "#summary") == [["digits", "val 75.00%  test 75.00%  2 runs"]]


async def test_runs_are_hidden_removed_and_added(app: CnnTuiApp, pair: list[Path]) -> None:
    async with app.run_test(size=LARGE) as pilot:
        page = await opened(pilot, pair)
        await pilot.press("down", "space")
        assert runs(page)["B"][0] == "○"
        await until(pilot, lambda: "B" not in drawn(page).splitlines()[1])
        assert cells(page, "#settings") == []
        await pilot.press("space")
        assert runs(page)["B"][0] == "●"
        await pilot.click("#runs", offset=(2, 1))
        assert runs(page)["A"][0] == "○"
        await pilot.press("d")
        assert list(runs(page)) == ["B"]
        await pilot.press("d")
        assert list(runs(page)) == ["B"]
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, PickRun))
        pick = app.screen
        await until(pilot, lambda: pick.query_one(ListTable).row_count == 1)
        await pilot.press(*"nothing")
        await until(pilot, lambda: pick.query_one(ListTable).row_count == 0)
        pick.query_one(Input).value = "first"
        await until(pilot, lambda: pick.query_one(ListTable).row_count == 1)
        await pilot.press("down", "enter")
        await until(pilot, lambda: list(runs(page)) == ["A", "B"] or list(runs(page)) == ["B", "A"])


async def test_sorting_by_key_and_by_header(app: CnnTuiApp, pair: list[Path]) -> None:
    async with app.run_test(size=LARGE) as pilot:
        page = await opened(pilot, pair)
        await pilot.press("s")
        assert list(runs(page)) == ["B", "A"]
        header = page.query_one("#runs", ListTable)
        column = [label.plain for label in (c.label for c in header.ordered_columns)].index("run")
        x = sum(c.get_render_width(header) for c in header.ordered_columns[:column]) + 3
        await pilot.click("#runs", offset=(x, 0))
        await until(pilot, lambda: list(runs(page)) == ["A", "B"])
        await pilot.press("b")
        base = page.query_one("#runs", ListTable).key
        other = "B" if base == "A" else "A"
        assert runs(page)[other][4].removesuffix(" *") in ("+15.00 pp", "-15.00 pp")


async def test_what_the_charts_show(app: CnnTuiApp, pair: list[Path]) -> None:
    async with app.run_test(size=LARGE) as pilot:
        page = await opened(pilot, pair)
        left, right = page.query(Chart)
        await pilot.press("6")
        assert str(left.border_title) == "learning rate"
        await pilot.press("2")
        assert str(left.border_title) == "validation accuracy"
        assert str(right.border_title) == "learning rate"
        right.focus()
        await pilot.press("1", "L", "m")
        assert str(right.border_title) == "training loss · logarithmic · smoothed 0.6"
        assert str(left.border_title) == "validation accuracy · smoothed 0.6"
        assert "epoch" in drawn(page)
        await pilot.press("x")
        await until(pilot, lambda: "step" in drawn(page).splitlines()[-1])
        await pilot.press("x")
        await until(pilot, lambda: "time (s)" in drawn(page).splitlines()[-1])
        await pilot.press("plus")
        assert right.zoom is not None
        assert left.zoom is None
        await pilot.press("0")
        assert right.zoom is None
        await pilot.press("z")
        assert page.maximized is right
        await pilot.press("escape")
        assert page.maximized is None
        assert app.screen is page
        assert (app.state.x_axis, app.state.log_y, app.state.smoothing) == ("time", True, 0.6)


async def test_a_small_screen_shows_one_thing_at_a_time(app: CnnTuiApp, pair: list[Path]) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        page = await opened(pilot, pair)
        shown = lambda: [  # noqa: E731
            one for one in ("#curves", "#settings", "#summary") if page.query_one(one).region
        ]
        await until(pilot, lambda: shown() == ["#curves"])
        for expected in (["#settings"], ["#summary"], ["#curves"]):
            await pilot.press("v")
            await until(pilot, lambda expected=expected: shown() == expected)
        await pilot.press("2")
        assert "validation accuracy" in drawn(page)


async def test_a_live_run_goes_on_and_enter_opens_it(
    app: CnnTuiApp, folder: Folder, pair: list[Path]
) -> None:
    live = folder.new("live")
    async with app.run_test(size=LARGE) as pilot:
        page = await opened(pilot, [*pair, live])
        assert "queued" in runs(page)["C"][3]
        with folder.writing(live) as writer:
            writer.write(started(3))
            await until(pilot, lambda: "running" in runs(page)["C"][3])
            writer.write(epoch_finished(1, 0.875))
            await until(pilot, lambda: runs(page)["C"][4] == "87.50% *")
            await until(pilot, lambda: runs(page)["B"][4] == "75.00%")
        await pilot.press("G", "enter")
        await until(pilot, lambda: isinstance(app.screen, LivePage))


async def test_vanished_damaged_and_hostile_runs(app: CnnTuiApp, folder: Folder) -> None:
    hostile = folder.finished("[bold red]x[/]", "optim.lr=0.5", accs=(0.5,))
    damaged, gone = folder.finished("damaged"), folder.finished("gone")
    (damaged / "config.toml").write_text("[/] =")
    async with app.run_test(size=LARGE) as pilot:
        page = await opened(pilot, [hostile, damaged, gone, folder.new("\x1b[31m")])
        shutil.rmtree(gone)
        note = page.query_one("#note", Static)
        await until(pilot, lambda: "C: the run's folder is gone" in str(note.render()))
        assert "B: " in str(note.render())
        assert runs(page)["A"][2] == "[bold red]x[/]"
        assert runs(page)["D"][2] == "\\x1b[31m"
        await pilot.press("v", "h", "s", "b", "m", "x")


async def test_many_runs_share_colours_and_say_so(app: CnnTuiApp, folder: Folder) -> None:
    many = [folder.finished(f"run-{number}", accs=(0.1 * number,)) for number in range(10)]
    async with app.run_test(size=LARGE) as pilot:
        page = await opened(pilot, many)
        note = page.query_one("#note", Static)
        assert "more than 8 runs" in str(note.render())
        await pilot.press("d", "d")
        assert not note.display


@pytest.mark.parametrize(
    ("key", "suffix", "begins"),
    [("c", ".csv", "id,name,optim.lr"), ("m", ".md", "| run |"), ("l", ".tex", "\\begin{tabular}")],
)
async def test_tables_are_written_and_nothing_is_replaced_unasked(
    app: CnnTuiApp,
    pair: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    suffix: str,
    begins: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    async def write(pilot: Pilot[Any], path: str = "") -> None:
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        if path:
            app.screen.query_one(Input).value = path
        await pilot.press("enter")

    async with app.run_test(size=LARGE) as pilot:
        page = await opened(pilot, pair)
        await write(pilot)
        await until(pilot, lambda: list(tmp_path.glob(f"compare-*{suffix}")))
        (written,) = tmp_path.glob(f"compare-*{suffix}")
        assert written.read_text().startswith(begins)
        await until(pilot, lambda: app.screen is page)
        written.write_text("mine")
        await write(pilot)
        await until(pilot, lambda: isinstance(app.screen, Ask))
        assert app.screen.query_one(OptionList).option_count == 2
        await pilot.press("n")
        await until(pilot, lambda: app.screen is page)
        assert written.read_text() == "mine"
        await write(pilot)
        await until(pilot, lambda: isinstance(app.screen, Ask))
        await pilot.press("y")
        await until(pilot, lambda: written.read_text().startswith(begins))
        await until(pilot, lambda: app.screen is page)
        await write(pilot, "no-such-folder/x")
        error = app.screen.query_one(".dialog-error", Static)
        await until(pilot, lambda: "no such folder" in str(error.render()))
        app.screen.query_one(Input).value = "table.doc"
        await pilot.press("enter")
        await until(pilot, lambda: "expected the suffix" in str(error.render()))


@pytest.mark.parametrize(("key", "begins"), [("p", b"\x89PNG"), ("s", b"<?xml")])
async def test_pictures_are_written(
    app: CnnTuiApp, pair: list[Path], tmp_path: Path, key: str, begins: bytes
) -> None:
    path = tmp_path / f"picture.{'png' if key == 'p' else 'svg'}"
    async with app.run_test(size=LARGE) as pilot:
        await opened(pilot, pair)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, Ask))
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, Prompt))
        app.screen.query_one(Input).value = str(path)
        await pilot.press("enter")
        await until(pilot, path.exists)
    assert path.read_bytes().startswith(begins)


def test_the_page_loads_without_torch() -> None:
    code = (
        "import sys, cnn_tui.screens.compare, cnn_tui.screens.queue;"
        "sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""The page of surfaces: moved, run, paused, changed, written."""

from pathlib import Path

import pytest
from app_support import until
from PIL import Image
from textual.pilot import Pilot
from textual.widgets import Input, Static

from cnn_core.surfaces.functions import SURFACES
from cnn_core.surfaces.surface import METHODS
from cnn_tui.app import CnnTuiApp
from cnn_tui.screens.surface import SurfacePage
from cnn_tui.widgets.chart import Chart
from cnn_tui.widgets.list_table import ListTable
from cnn_tui.widgets.surface_map import SurfaceMap

pytestmark = pytest.mark.usefixtures("beside_training")


def said(app: CnnTuiApp) -> str:
    return str(page(app).query_one("#surface-said", Static).content)


def page(app: CnnTuiApp) -> SurfacePage:
    return next(screen for screen in app.screen_stack if isinstance(screen, SurfacePage))


def rows(app: CnnTuiApp) -> list[list[str]]:
    table = page(app).query_one(ListTable)
    return [[cell.plain for cell in table.get_row_at(at)] for at in range(table.row_count)]


def states(app: CnnTuiApp) -> list[str]:
    return [row[-1] for row in rows(app)]


def told(app: CnnTuiApp) -> list[str]:
    return [notification.message for notification in app._notifications]


async def opened(pilot: Pilot[str], *keys: str) -> None:
    await pilot.press("f")
    await until(pilot, lambda: isinstance(pilot.app.screen, SurfacePage))
    await until(pilot, lambda: isinstance(pilot.app.focused, SurfaceMap))
    await pilot.press(*keys)
    await pilot.pause()


async def test_it_opens_from_the_runs_and_leads_back(app: CnnTuiApp) -> None:
    async with app.run_test() as pilot:
        await opened(pilot)
        assert said(app) == "Beale, exact, autograd · start 1, 1 · step 0 · space begins"
        assert [row[0].split()[-1] for row in rows(app)] == list(METHODS)
        assert states(app) == ["ready"] * 4
        await pilot.press("escape")
        assert not isinstance(app.screen, SurfacePage)


async def test_keys_move_the_start_and_no_further_than_the_domain(app: CnnTuiApp) -> None:
    async with app.run_test() as pilot:
        await opened(pilot, "right", "up", "up", "shift+down", "shift+left")
        assert "start 0.19, 0.28 ·" in said(app)
        await pilot.press(*["shift+right"] * 12)
        assert "start 4.5, 0.28 ·" in said(app)
        await pilot.press("r")
        assert "start 1, 1 ·" in said(app)


async def test_a_click_puts_the_start_there(app: CnnTuiApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot)
        size = page(app).query_one(SurfaceMap).size
        await pilot.click(SurfaceMap, offset=(size.width // 2, size.height // 2))
        await until(pilot, lambda: "start 1, 1" not in said(app))
        x, y = page(app).start
        assert abs(x) < 9 / size.width
        assert abs(y) < 9 / size.height


async def test_it_runs_to_the_minimum_and_again(app: CnnTuiApp) -> None:
    async with app.run_test(size=(200, 60)) as pilot:
        await opened(pilot, "p", "p", "p")  # Booth is before Beale, the sphere two before
        assert said(app).startswith("Sphere, ")
        await pilot.press("space")
        assert said(app).endswith("running")
        charts = page(app).query(Chart)
        await until(pilot, lambda: said(app).endswith("ended"), 60)
        assert states(app) == ["at rest"] * 4
        for row in rows(app):
            assert float(row[3]) < 1e-9  # value
            assert float(row[5]) < 1e-4  # away from the minimum
        assert all(chart.drawing is not None and chart.drawing.x_range for chart in charts)
        await pilot.press("space")
        assert said(app).endswith("running")
        await pilot.press("right")
        assert said(app).endswith("space begins")
        assert states(app) == ["ready"] * 4


async def test_a_pause_stands_still(app: CnnTuiApp) -> None:
    async with app.run_test() as pilot:
        await opened(pilot, "space")
        await until(pilot, lambda: "step 0" not in said(app))
        await pilot.press("space")
        paused = said(app)
        assert paused.endswith("paused")
        ticks = []
        app.screen.set_interval(0.05, lambda: ticks.append(1))
        await until(pilot, lambda: len(ticks) > 6)
        assert said(app) == paused
        await pilot.press("space")
        await until(pilot, lambda: said(app).split(" · ")[2] != paused.split(" · ")[2])


async def test_methods_are_switched_off_and_on(app: CnnTuiApp) -> None:
    async with app.run_test() as pilot:
        await opened(pilot, "2", "4")
        assert states(app) == ["ready", "off", "ready", "off"]
        await pilot.press("8")  # there is none
        await pilot.press("space")
        await until(pilot, lambda: states(app)[0] == "descends")
        assert states(app) == ["descends", "off", "descends", "off"]
        page(app).query_one(ListTable).focus()
        await pilot.press("enter")
        await until(pilot, lambda: states(app) == ["off", "off", "ready", "off"])
        await pilot.press("3", "space")
        assert told(app) == ["every method is off: 1 to 8 switch them on"]


async def test_another_surface_is_taken(app: CnnTuiApp) -> None:
    async with app.run_test() as pilot:
        await opened(pilot, "n")
        assert said(app).startswith("Himmelblau, exact, autograd · start 0, 0 ·")
        await pilot.press("s")
        await until(pilot, lambda: not isinstance(app.screen, SurfacePage))
        await pilot.press(*"shekel", "enter", *["backspace"] * 6, *"eggh", "enter")
        await until(pilot, lambda: said(app).startswith("Eggholder, "))
        for _ in SURFACES:
            await pilot.press("p")
        assert said(app).startswith("Eggholder, ")


async def test_an_image_and_its_gradient(app: CnnTuiApp) -> None:
    async with app.run_test() as pilot:
        await opened(pilot, "i")
        assert said(app).startswith("Beale, 64 x 64 pixels, numeric ·")
        await pilot.press("g")
        assert said(app).startswith("Beale, 64 x 64 pixels, autograd ·")
        await pilot.press("i", "i", "g", "space")
        assert said(app).startswith("Beale, exact, numeric ·")
        await until(pilot, lambda: "step 0" not in said(app))


async def test_learning_rates_are_set(app: CnnTuiApp) -> None:
    async with app.run_test(size=(200, 60)) as pilot:
        await opened(pilot, "l")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press(*"0.01 plan=3", "enter")
        error = app.screen.query_one(".dialog-error", Static)
        wrong = "learning rate: no method 'plan' is asked for; did you mean 'plain'?"
        await until(pilot, lambda: str(error.content) == wrong)
        app.screen.query_one(Input).value = "0.01 plain=0.005"
        await pilot.press("enter")
        await until(pilot, lambda: [row[1] for row in rows(app)] == ["0.005", *["0.01"] * 3])
        await pilot.press("n")
        assert [row[1] for row in rows(app)] == [""] * 4


async def test_a_rate_that_torch_refuses_is_told(app: CnnTuiApp) -> None:
    async with app.run_test() as pilot:
        await opened(pilot, "l")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press(*"-1", "enter")
        await until(pilot, lambda: isinstance(app.screen, SurfacePage))
        await pilot.press("space")
        await until(pilot, lambda: told(app))
        assert told(app) == ["plain: Invalid learning rate: -1.0"]
        await until(pilot, lambda: said(app).endswith("space begins"))


async def test_any_optimizer_joins(app: CnnTuiApp) -> None:
    async with app.run_test() as pilot:
        await opened(pilot, "o")
        await until(pilot, lambda: isinstance(app.focused, Input))
        asked = app.screen.query_one(Input)
        error = app.screen.query_one(".dialog-error", Static)
        for text, wrong in (
            ("", "unknown method ''"),
            ("adam", "adam is there already"),
            ("rmsprob", "unknown method 'rmsprob'; did you mean 'rmsprop'?"),
            ("rmsprop alpa=1", "rmsprop: unknown option 'alpa'; did you mean 'alpha'?"),
            ("rmsprop alpha", "option rmsprop.alpha: expected METHOD.KEY=VALUE"),
        ):
            asked.value = text
            await pilot.press("enter")
            await until(pilot, lambda wrong=wrong: str(error.content).startswith(wrong))
        asked.value = "RMSprop lr=0.05 alpha=0.9"
        await pilot.press("enter")
        await until(pilot, lambda: len(rows(app)) == 5)
        assert rows(app)[4][0].endswith("rmsprop")
        await pilot.press("1", "2", "3", "4", "space")
        await until(pilot, lambda: states(app) == ["off"] * 4 + ["descends"])


@pytest.mark.long
@pytest.mark.parametrize("kind", ["png", "gif"])
async def test_it_is_written(
    app: CnnTuiApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cnn_core.surfaces.drawing.FRAMES", 3)  # each takes a tenth of a second
    async with app.run_test() as pilot:
        await opened(pilot, "w")  # nothing yet
        assert isinstance(app.screen, SurfacePage)
        await pilot.press("n", "1", "2", "4", "space")
        await until(pilot, lambda: said(app).endswith("ended"), 60)
        await pilot.press("w", kind[0])
        await until(pilot, lambda: isinstance(app.focused, Input))
        assert app.screen.query_one(Input).value == f"surface-himmelblau.{kind}"
        await pilot.press("enter")
        path = tmp_path / f"surface-himmelblau.{kind}"
        await until(pilot, lambda: f"written: {path}" in told(app), 120)
        with Image.open(path) as image:
            assert image.format == kind.upper()


@pytest.mark.parametrize("size", [(24, 8), (60, 15), (80, 24)])
async def test_small_terminals(app: CnnTuiApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await opened(pilot, "space")
        await until(pilot, lambda: "step 0" not in said(app))
        await pilot.resize_terminal(100, 30)
        await pilot.pause()
        drawn = page(app).query_one(SurfaceMap)
        assert drawn.size.width >= 2 * drawn.size.height - 2
        assert any("▀" in drawn.render_line(y).text for y in range(drawn.size.height))


async def test_leaving_it_ends_the_computing(app: CnnTuiApp) -> None:
    async with app.run_test() as pilot:
        await opened(pilot, *"nn", "space")
        await until(pilot, lambda: "step 0" not in said(app))
        race = page(app)._race
        assert race is not None
        workers = list(app.workers)
        await pilot.press("escape")
        await until(pilot, lambda: all(worker.is_finished for worker in workers))
        longest = race.longest
        await pilot.pause()
        assert race.longest == longest

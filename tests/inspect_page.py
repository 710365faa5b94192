"""The page that looks into a run, for its tests: opened, and what it says."""

from pathlib import Path
from typing import Any

from app_support import until
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Static

from cnn_core.inspect.scores import (
    Scores,
)
from cnn_core.training.predictions import (
    Predictions,
    load_predictions,
    predictions_path,
)
from cnn_tui.app import CnnTuiApp
from cnn_tui.output import percent
from cnn_tui.screens.inspect import InspectPage
from cnn_tui.widgets.list_table import ListTable
from cnn_tui.widgets.picture import Picture
from cnn_tui.widgets.picture_grid import PictureGrid
from cnn_tui.workplace import Workplace

CLASSES = ("ant", "bee", "[b]猫猫猫猫猫猫猫猫猫猫猫猫猫猫\x1b[31m")
SMALL = (80, 24)


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

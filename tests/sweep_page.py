"""The pages of sweeps, opened and read."""

from typing import Any

from app_support import until
from textual.pilot import Pilot
from textual.widgets import Static

from cnn_tui.app import CnnTuiApp
from cnn_tui.screens.sweep import SweepPage
from cnn_tui.screens.sweeps import SweepsPage
from cnn_tui.widgets.list_table import ListTable

SIZE = (120, 40)


async def listed(pilot: Pilot[Any]) -> SweepsPage:
    await pilot.press("w")
    await until(pilot, lambda: isinstance(pilot.app.screen, SweepsPage))
    page = pilot.app.screen
    assert isinstance(page, SweepsPage)
    await until(pilot, lambda: "reading" not in str(page.query_one("#sweeps-said").render()))
    return page


async def opened(pilot: Pilot[Any], name: str) -> SweepPage:
    app = pilot.app
    assert isinstance(app, CnnTuiApp)
    app.open_sweep(name)
    await until(pilot, lambda: isinstance(app.screen, SweepPage))
    page = app.screen
    assert isinstance(page, SweepPage)
    await until(pilot, lambda: "reading" not in head(page))
    await pilot.pause()
    return page


def head(page: SweepPage) -> str:
    return str(page.query_one("#head", Static).render()) if page.query("#head") else "reading"


def rows(page: SweepsPage | SweepPage, table: str) -> list[list[str]]:
    shown = page.query_one(table, ListTable)
    return [[cell.plain for cell in shown.get_row_at(row)] for row in range(shown.row_count)]


def column(page: SweepPage, place: int) -> list[str]:
    return [row[place] for row in rows(page, "#trials")]


def left_of(page: SweepPage, key: str) -> int:
    """Return where a column begins."""
    table = page.query_one("#trials", ListTable)
    columns = {column.key.value: column for column in table.ordered_columns}
    before = list(columns)[: list(columns).index(key)]
    return sum(columns[name].get_render_width(table) for name in before)


def picture(page: SweepPage, name: str) -> str:
    widget = page.query_one(f"#{name}")
    if isinstance(widget, Static):
        return str(widget.render())
    return "\n".join(widget.render_line(y).text for y in range(widget.size.height))

"""What the list of runs shows."""

from typing import Any

from app_support import until
from textual.pilot import Pilot

from cnn_tui.app import CnnTuiApp
from cnn_tui.widgets.runs_status import RunsStatus
from cnn_tui.widgets.runs_table import RunsTable


def table(app: CnnTuiApp) -> RunsTable:
    return app.query_one(RunsTable)


def names(app: CnnTuiApp) -> list[str]:
    return [row["name"] for row in table(app).rows]


def lines(app: CnnTuiApp) -> list[str]:
    """Return the lines of the table as they are drawn."""
    view = table(app)
    return [view.render_line(y).text for y in range(view.size.height)]


def said(app: CnnTuiApp) -> str:
    return str(app.screen_stack[0].query_one(RunsStatus).content)


def told(app: CnnTuiApp) -> str:
    return "\n".join(str(note.message) for note in app._notifications)


async def shown(pilot: Pilot[Any], count: int) -> None:
    await until(pilot, lambda: len(table(pilot.app).rows) == count, what=f"{count} rows")  # type: ignore[arg-type]

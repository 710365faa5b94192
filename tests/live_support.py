"""What the page of a run says, for its tests."""

from pathlib import Path
from typing import Any

from app_support import until
from textual.pilot import Pilot
from textual.widgets import Static

from cnn_tui.app import CnnTuiApp
from cnn_tui.screens.live import LivePage
from cnn_tui.widgets.chart import Chart
from cnn_tui.widgets.lines import Lines


def page_of(app: CnnTuiApp) -> LivePage:
    page = next(screen for screen in reversed(app.screen_stack) if isinstance(screen, LivePage))
    assert isinstance(page, LivePage)
    return page


def text(app: CnnTuiApp, selector: str) -> str:
    """Return what a part of the page says, nothing if it is hidden or not there yet."""
    widget = next(iter(page_of(app).query(selector)), None)
    if widget is None or not widget.display:
        return ""
    if isinstance(widget, Lines):
        return "\n".join(widget.render_line(y).text.rstrip() for y in range(widget.size.height))
    assert isinstance(widget, Static)
    return str(widget.render())


def labels(app: CnnTuiApp, pane: str) -> list[str]:
    return [curve.label for curve in page_of(app).query_one(f"#{pane}", Chart)._curves]


async def opened(pilot: Pilot[Any], app: CnnTuiApp, run_dir: Path) -> None:
    app.open_run(run_dir)
    await until(pilot, lambda: isinstance(app.screen, LivePage))
    await until(pilot, lambda: page_of(app).run_watch.document, what="the run is read")
    await pilot.pause()


async def says(pilot: Pilot[Any], app: CnnTuiApp, selector: str, *parts: str) -> None:
    await until(
        pilot,
        lambda: all(part in text(app, selector) for part in parts),
        what=f"{selector} says {parts}",
    )

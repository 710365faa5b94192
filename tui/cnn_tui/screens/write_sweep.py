"""Writing a sweep to a file: the table of its trials, or a picture."""

import asyncio
from typing import TYPE_CHECKING

from cnn_core.errors import CnnTuiError
from cnn_core.files import write_text_atomically
from cnn_core.search.sweep_config import Sweep
from cnn_tui.screens.ask_path import ask_path
from cnn_tui.screens.dialogs import Ask, Choice
from cnn_tui.screens.page import Page
from cnn_tui.sweep_figures import Figure
from cnn_tui.sweep_rows import trials_csv

if TYPE_CHECKING:
    from cnn_core.search.results import SweepResults


async def write_sweep(
    page: Page, sweep: Sweep, results: "SweepResults", figure: Figure | None
) -> None:
    """Ask for a kind of file and its path, write the trials or the curves, and tell of it."""
    choices = [Choice("csv", "c", "table as CSV, every digit")]
    if figure is not None:
        choices += [Choice("png", "p", "picture as PNG"), Choice("svg", "s", "picture as SVG")]
    kind = await page.app.push_screen_wait(Ask("Write to a file", "", choices))
    if kind is None:
        return
    path = await ask_path(page, f"sweep-{sweep.name}", f".{kind}")
    if path is None:
        return

    def write() -> None:
        if kind == "csv" or figure is None:
            write_text_atomically(path, trials_csv(sweep, results))
        else:
            from cnn_core.figures.chart import save_chart  # loads matplotlib

            save_chart(path, figure.curves, figure.view, figure.title)

    try:
        await asyncio.to_thread(write)
    except (CnnTuiError, OSError) as error:
        page.tell_error(error)
    else:
        page.tell(f"written: {path.resolve()}")

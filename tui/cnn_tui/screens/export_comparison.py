"""Writing a comparison to a file."""

import asyncio
import time
from collections.abc import Sequence

from cnn_core.errors import CnnTuiError
from cnn_core.files import write_text_atomically
from cnn_tui.lineup import Entrant
from cnn_tui.lineup_tables import comparison_of
from cnn_tui.screens.ask_path import ask_path
from cnn_tui.screens.dialogs import Ask, Choice
from cnn_tui.screens.page import Page
from cnn_tui.widgets.compared_curves import Picture

_SUFFIXES = {"csv": ".csv", "markdown": ".md", "latex": ".tex", "png": ".png", "svg": ".svg"}


async def export_comparison(
    page: Page, entrants: Sequence[Entrant], picture: Picture | None
) -> None:
    """Ask for a kind of file and its path, write the runs' table or the picture, and tell of it."""
    choices = [
        Choice("csv", "c", "table as CSV, every digit"),
        Choice("markdown", "m", "table as Markdown"),
        Choice("latex", "l", "table as LaTeX (booktabs)"),
    ]
    if picture is not None:
        choices += [
            Choice("png", "p", f"picture of the {picture.title} as PNG"),
            Choice("svg", "s", f"picture of the {picture.title} as SVG"),
        ]
    kind = await page.app.push_screen_wait(Ask("Write to a file", "", choices))
    if kind is None:
        return
    path = await ask_path(page, f"compare-{time.strftime('%Y-%m-%d')}", _SUFFIXES[kind])
    if path is None:
        return
    try:
        if kind in ("png", "svg") and picture is not None:
            await asyncio.to_thread(picture.save, path)
        else:
            comparison = comparison_of(entrants)
            texts = {
                "csv": comparison.as_csv,
                "markdown": comparison.as_markdown,
                "latex": comparison.as_latex,
            }
            write_text_atomically(path, texts[kind]())
    except (CnnTuiError, OSError) as error:
        page.tell_error(error)
    else:
        page.tell(f"written: {path.resolve()}")

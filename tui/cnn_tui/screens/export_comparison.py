"""Writing a comparison to a file: asks what and where, and before it replaces anything."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from cnn_core.errors import CnnTuiError, UserError, printable
from cnn_core.files import write_text_atomically
from cnn_core.locations import expanded
from cnn_tui.lineup import Entrant
from cnn_tui.lineup_tables import comparison_of
from cnn_tui.screens.dialogs import Ask, Choice, Prompt
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
    default = f"compare-{time.strftime('%Y-%m-%d')}{_SUFFIXES[kind]}"
    answer = await page.app.push_screen_wait(
        Prompt(
            "Write to which file?",
            default,
            text=f"below {Path.cwd()}",
            check=lambda text: _path(text, _SUFFIXES[kind]),
        )
    )
    if answer is None:
        return
    path = _path(answer, _SUFFIXES[kind])
    if path.exists():
        replace = [Choice("yes", "y", "replace it"), Choice("no", "n", "leave it as it is")]
        if await page.app.push_screen_wait(Ask(f"{path} exists", "", replace)) != "yes":
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


def _path(text: str, suffix: str) -> Path:
    """Return the path that is meant; UserError where nothing can be written."""
    path = expanded(text.strip())
    if not text.strip() or path.is_dir():
        raise UserError(f"{printable(text) or 'nothing'}: expected the name of a file")
    path = path if path.suffix else path.with_suffix(suffix)
    if path.suffix.lower() != suffix:
        raise UserError(f"{printable(path.name)}: expected the suffix {suffix}")
    if not path.parent.is_dir():
        raise UserError(f"{printable(path.parent)}: no such folder")
    return path

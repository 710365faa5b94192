"""Asks where to write a file, and before it replaces anything."""

from pathlib import Path

from cnn_core.errors import UserError, printable
from cnn_core.locations import expanded
from cnn_tui.screens.dialogs import Ask, Choice, Prompt
from cnn_tui.screens.page import Page


async def ask_path(page: Page, name: str, suffix: str) -> Path | None:
    """Return where to write, None if nowhere; ``name`` is proposed, ``suffix`` added to it."""
    answer = await page.app.push_screen_wait(
        Prompt(
            "Write to which file?",
            name + suffix,
            text=f"below {Path.cwd()}",
            check=lambda text: _path(text, suffix),
        )
    )
    if answer is None:
        return None
    path = _path(answer, suffix)
    if path.exists():
        replace = [Choice("yes", "y", "replace it"), Choice("no", "n", "leave it as it is")]
        if await page.app.push_screen_wait(Ask(f"{path} exists", "", replace)) != "yes":
            return None
    return path


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

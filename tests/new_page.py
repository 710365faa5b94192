"""The New page, filled in as a person would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from app_support import until as until_soon
from PIL import Image
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from cnn_tui.app import CnnTuiApp
from cnn_tui.form import Form
from cnn_tui.screens.new import NewPage
from cnn_tui.widgets.form_view import FieldRow, FormView


async def until(pilot: Pilot[Any], holds: Callable[[], object]) -> None:
    """Wait until the condition holds; loading torch takes long on a busy machine."""
    await until_soon(pilot, holds, timeout_s=90)


async def opened(app: CnnTuiApp, pilot: Pilot[Any], source: Path | str = "digits") -> NewPage:
    """Open the page and wait for its form."""
    page = NewPage(source)
    app.push_screen(page)
    await until(pilot, lambda: app.screen is page and page._form is not None)
    await pilot.pause()
    return page


def form_of(page: NewPage) -> Form:
    assert page._form is not None
    return page._form


async def enter(pilot: Pilot[Any], page: NewPage, key: str, text: str) -> None:
    """Replace the text of a field by typing."""
    view = page.query_one(FormView)
    view.go_to(key)
    await pilot.pause()
    await pilot.press("end", "ctrl+u")
    editor = row(page, key).editor
    assert isinstance(editor, Input)
    await pilot.press(*({" ": "space", ".": "full_stop", "-": "minus"}.get(c, c) for c in text))
    await until(pilot, lambda: form_of(page).text(key) == text)


def row(page: NewPage, key: str) -> FieldRow:
    return next(row for row in page.query(FieldRow) if row.field.key == key)


def mistake(page: NewPage, key: str) -> str:
    shown = row(page, key).query(".mistake")
    return " ".join(str(each.content) for each in shown.results(Static) if each.display)


def told(page: NewPage, pane: str) -> str:
    return str(page.query_one(f"#{pane} .told", Static).content)


def images(root: Path, classes: tuple[str, ...]) -> None:
    """Write a folder data set: 10 grey images of the first class, 5 of the others."""
    for label, name in enumerate(classes):
        folder = root / name.replace("/", "∕")
        folder.mkdir(parents=True)
        for number in range(5 if label else 10):
            pixels = np.full((12, 12, 3), 20 * label + number, np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")


def listed(app: CnnTuiApp) -> list[str]:
    """Return the lines of the list that is open."""
    return [str(option.prompt) for option in app.screen.query_one(OptionList).options]

"""Where a run or a sweep lies, and the end of what it logged."""

import asyncio
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from cnn_core.errors import printable
from cnn_core.regular_files import open_regular
from cnn_core.runs.log import LOG
from cnn_tui.output import literal, literal_lines
from cnn_tui.screens.page import Dialog

_TAIL = 64 * 1024  # bytes of log.txt


class RunFiles(Dialog):
    """Shows where a folder lies, and the end of its log.txt; y copies the path."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy path", id="files.copy", tooltip="Copy the folder's path"),
        Binding("o,q", "cancel", "Close", id="files.close"),
    ]

    def __init__(self, folder: Path, title: str = "Files of the run") -> None:
        super().__init__()
        self._folder, self._title = folder, title

    def compose(self) -> ComposeResult:
        """Put the path above the log."""
        with Vertical(classes="dialog files"):
            yield Static(self._title, classes="dialog-title")
            yield Static(literal(self._folder), classes="dialog-text")
            yield Static(f"{LOG}, its last lines (y copies the path, escape closes)")
            with VerticalScroll():
                yield Static("reading…", id="log-tail")

    def on_mount(self) -> None:
        """Read the log and let the arrows scroll it."""
        self.query_one(VerticalScroll).focus()
        self._read()

    @work(exit_on_error=False)
    async def _read(self) -> None:
        tail = await asyncio.to_thread(log_tail, self._folder)
        self.query_one("#log-tail", Static).update(literal_lines(tail))
        self.query_one(VerticalScroll).scroll_end(animate=False)

    def action_copy(self) -> None:
        """Copy the path."""
        self.app.copy_to_clipboard(str(self._folder))
        self.app.notify(f"copied: {printable(self._folder)}", markup=False)


def log_tail(folder: Path) -> str:
    """Return the end of a folder's log.txt as text, or why there is none."""
    try:
        with open_regular(folder / LOG) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            text = file.read().decode(errors="replace").rstrip("\n")
    except FileNotFoundError:
        return "nothing was logged"
    except OSError as error:
        return f"can't be read: {error.strerror}"
    if size > _TAIL:
        text = text.partition("\n")[2]
    return text or "nothing was logged"

"""New experiment."""

from pathlib import Path

from cnn_tui.screens.page import Page
from cnn_tui.widgets.title_bar import TitleBar


class NewPage(Page):
    """New experiment."""

    def __init__(self, source: Path | str | None = None) -> None:
        super().__init__()
        self._source = source

    def on_mount(self) -> None:
        """Name the page."""
        self.query_one(TitleBar).page = "New experiment"

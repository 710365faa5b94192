"""Compare."""

from pathlib import Path

from cnn_tui.screens.page import Page
from cnn_tui.widgets.title_bar import TitleBar


class ComparePage(Page):
    """Compare."""

    def __init__(self, run_dirs: list[Path]) -> None:
        super().__init__()
        self._run_dirs = run_dirs

    def on_mount(self) -> None:
        """Name the page."""
        self.query_one(TitleBar).page = "Compare"

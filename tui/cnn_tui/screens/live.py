"""Run."""

from pathlib import Path

from cnn_tui.screens.page import Page
from cnn_tui.widgets.title_bar import TitleBar


class LivePage(Page):
    """Run."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__()
        self._run_dir = run_dir

    def on_mount(self) -> None:
        """Name the page."""
        self.query_one(TitleBar).page = "Run"

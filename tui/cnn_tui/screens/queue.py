"""Queue."""

from cnn_tui.screens.page import Page
from cnn_tui.widgets.title_bar import TitleBar


class QueuePage(Page):
    """Queue."""

    def on_mount(self) -> None:
        """Name the page."""
        self.query_one(TitleBar).page = "Queue"

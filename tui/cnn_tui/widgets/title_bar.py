"""The line at the top: where one is, and what trains meanwhile."""

from rich.text import Text
from textual.app import RenderResult
from textual.reactive import reactive
from textual.widget import Widget

from cnn_tui.output import literal


class TitleBar(Widget):
    """Name of the program and of the page at the left; what this process trains at the right."""

    page: reactive[str] = reactive("")
    training: reactive[str] = reactive("")

    def render(self) -> RenderResult:
        """Lay both sides out on one line; the right side yields where there is no room."""
        left = Text.assemble((" cnn-tui ", "bold reverse"), " ", (literal(self.page).plain, "bold"))
        right = literal(self.training)
        room = self.size.width - left.cell_len - 3
        if not right.plain or room < 8:
            return left
        right.truncate(room, overflow="ellipsis")
        return Text.assemble(left, " " * (room - right.cell_len + 2), right, " ")

"""The names of panes of which one is shown; a click on a name shows it."""

from collections.abc import Mapping

from rich.style import Style
from rich.text import Text
from textual.app import RenderResult
from textual.reactive import reactive
from textual.widget import Widget


class PaneTabs(Widget):
    """Names with the digits that show them, in one line."""

    DEFAULT_CSS = """
    PaneTabs { height: 1; padding: 0 1; link-style: none; link-style-hover: reverse;
        link-color: $foreground; link-background-hover: $background;
        link-color-hover: $foreground; }
    """
    ALLOW_SELECT = False

    shown: reactive[str] = reactive("")

    def __init__(self, panes: Mapping[str, str]) -> None:
        """``panes`` maps ids to titles."""
        super().__init__()
        self._panes = panes

    def render(self) -> RenderResult:
        """Show the names, that of the pane in sight reversed."""
        text = Text(no_wrap=True, overflow="ellipsis")
        for number, (pane, title) in enumerate(self._panes.items(), start=1):
            style = Style(
                bold=pane == self.shown,
                reverse=pane == self.shown,
                meta={"@click": f"screen.pane('{pane}')"},
            )
            text.append(f" {number} {title} ", style)
            text.append(" ")
        return text

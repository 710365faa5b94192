"""Many lines of text of which only those in sight are rendered."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual


class Lines(ScrollView, can_focus=True):
    """Shows lines, those too long for the width continued on further ones.

    With ``follow`` it stays at the end while lines are added, unless one has scrolled away.
    """

    DEFAULT_CSS = "Lines { overflow-x: hidden; height: 1fr; }"
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "scroll_home", "Top", id="lines.top", show=False, tooltip="Go to the top"),
        Binding("G", "scroll_end", "Bottom", id="lines.end", show=False, tooltip="Go to the end"),
    ]

    def __init__(
        self,
        title: str,
        *,
        empty: str,
        follow: bool = False,
        indent: int = 0,
        id: str | None = None,
    ) -> None:
        """``empty`` is shown while there are no lines; ``indent`` is that of continued ones."""
        super().__init__(id=id, classes="pane")
        self.border_title = Content(title)
        self._empty = [Content.styled(empty, "$foreground 60%")]
        self._follow, self._indent = follow, indent
        self._lines: list[Content] = []
        self._rows: list[Content] = []

    def show(self, lines: Sequence[Content]) -> None:
        """Show these lines instead; only those that differ are rendered anew."""
        before, self._lines = self._lines, list(lines)
        if len(before) == len(lines):
            changed = [y for y, line in enumerate(lines) if not line.is_same(before[y])]
            width = self.virtual_size.width
            # Without continued lines, rows are lines.
            if len(self._rows) == len(lines) and all(
                lines[y].cell_length <= width for y in changed
            ):
                for y in changed:
                    self._rows[y] = lines[y]
                    self.refresh_line(y)
                return
            if not changed:
                return
        self._wrap()

    def extend(self, lines: Sequence[Content]) -> None:
        """Add lines at the end."""
        if lines:
            self._lines += lines
            self._wrap(since=len(self._lines) - len(lines))

    def on_resize(self, event: events.Resize) -> None:
        """Wrap anew where the width has changed."""
        if event.size.width != self.virtual_size.width or not self._rows:
            self._wrap()

    def render_line(self, y: int) -> Strip:
        """Return a line of those in sight."""
        width = self.scrollable_content_region.width
        row = y + self.scroll_offset.y
        rows = self._rows if self._lines else self._empty
        if row >= len(rows):
            return Strip.blank(width, self.rich_style)
        return Visual.to_strips(self, rows[row], width, 1, self.visual_style)[0]

    def _wrap(self, since: int = 0) -> None:
        width = self.scrollable_content_region.width
        at_end = self.scroll_offset.y >= self.max_scroll_y
        if not since:
            self._rows = []
        if width:
            for line in self._lines[since:]:
                self._rows += [line] if line.cell_length <= width else self._continued(line, width)
        self.virtual_size = Size(width, len(self._rows))
        if self._follow and at_end:
            self.scroll_end(animate=False)
        self.refresh()

    def _continued(self, line: Content, width: int) -> list[Content]:
        first, *more = line.wrap(max(width - self._indent, 1))
        return [first, *(Content(" " * self._indent).append(part) for part in more)]

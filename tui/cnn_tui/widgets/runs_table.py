"""The table of runs: draws the lines that are seen and no others, however many runs there are."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from cnn_core.runs.index import Row
from cnn_tui.widgets.run_columns import GAP, Column, Moment, Placed, needed_widths, place_columns

_MARK_WIDTH = 3
_HEADER = 1
_WHOLE_LINES = ("header", "cursor", "cursor-blurred")


class RunsTable(ScrollView, can_focus=True):
    """Rows in the order given; the cursor and the marks stay with their runs.

    A line is drawn anew only if it looks otherwise than before.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "runs-table--header",
        "runs-table--mark",
        "runs-table--cursor",
        "runs-table--cursor-blurred",
        *(f"runs-table--{name}" for name in ("primary", "secondary", "accent", "muted")),
        *(f"runs-table--{name}" for name in ("success", "warning", "error")),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="runs.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="runs.down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="runs.page_up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="runs.page_down"),
        Binding("home,g", "to_end(0)", "First run", show=False, id="runs.first"),
        Binding("end,G", "to_end(-1)", "Last run", show=False, id="runs.last"),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)

    @dataclass
    class Highlighted(Message):
        """The cursor is on another run, or on none."""

        row: Row | None

    class Opened(Message):
        """A double click on the cursor's run."""

    class Marked(Message):
        """Other runs are marked."""

    @dataclass
    class HeaderClicked(Message):
        """The key of the column whose header was clicked."""

        key: str

    def __init__(self) -> None:
        super().__init__()
        self.rows: Sequence[Row] = ()
        self.marked: set[str] = set()
        self._sort = ""
        self._moment = Moment()
        self._needed: dict[Column, int] = {}
        self._columns: list[Placed] = []
        self._drawn: dict[int, Strip] = {}
        self._styles_by_name: dict[str, Style] = {}
        self._index: dict[str, int] = {}

    @property
    def current(self) -> Row | None:
        """The run under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def measure(self, rows: Sequence[Row], places: Mapping[str, int]) -> None:
        """Make room for what these rows say; it stays, so that a filter moves no column."""
        needed = needed_widths(rows, places, self._needed)
        if needed != self._needed:
            self._needed = needed
            self._place()

    def show(self, rows: Sequence[Row], *, sort: str, places: Mapping[str, int]) -> None:
        """Show these rows; ``sort`` is marked in the header, ``places`` are those in the queue."""
        before, seen = self.current, self._is_cursor_seen()
        self.rows, self._sort = rows, sort
        self._index = {row["id"]: index for index, row in enumerate(rows)}
        self._moment = Moment(time.time(), places)
        self.virtual_size = Size(self.size.width, len(rows) + _HEADER)
        run_id = before["id"] if before else None
        place = self._index.get(run_id, self.cursor) if run_id else 0
        self.set_reactive(RunsTable.cursor, max(0, min(place, len(rows) - 1)))
        if seen:  # else somebody looks at other runs
            self._scroll_to_cursor()
        self._redraw_changed()
        if self.current is not before:
            self.post_message(self.Highlighted(self.current))

    def tick(self) -> None:
        """Let the ages grow."""
        self._moment = Moment(time.time(), self._moment.places)
        self._redraw_changed()

    def mark(self, run_ids: Collection[str]) -> None:
        """Mark these runs and no others."""
        self.marked = set(run_ids)
        self._redraw_changed()
        self.post_message(self.Marked())

    def toggle_mark(self, run_id: str) -> None:
        """Mark a run, or take its mark off."""
        self.mark(self.marked ^ {run_id})

    # --- moving ----------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Move the cursor by some rows."""
        self.cursor += by

    def action_page(self, by: int) -> None:
        """Move the cursor by what is seen at once."""
        self.cursor += by * max(1, self._page - 1)

    def action_to_end(self, index: int) -> None:
        """Move the cursor to the first or the last run."""
        self.cursor = index if index >= 0 else len(self.rows) - 1

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(cursor, len(self.rows) - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        """Draw both lines anew, and tell of it."""
        self.refresh_line(old + _HEADER)
        self.refresh_line(new + _HEADER)
        self._scroll_to_cursor()
        self.post_message(self.Highlighted(self.current))

    @property
    def _page(self) -> int:
        """Rows that are seen at once."""
        return max(1, self.size.height - _HEADER)

    def _is_cursor_seen(self) -> bool:
        top = round(self.scroll_y)
        return top <= self.cursor < top + self._page

    def _scroll_to_cursor(self) -> None:
        if not self._is_cursor_seen():
            above = self.cursor < round(self.scroll_y)
            y = self.cursor if above else self.cursor - self._page + 1
            self.scroll_to(y=y, animate=False, force=True)

    def on_focus(self) -> None:
        """Show where the keys go."""
        self.refresh_line(self.cursor + _HEADER)

    def on_blur(self) -> None:
        """Show that the keys go elsewhere."""
        self.refresh_line(self.cursor + _HEADER)

    def on_resize(self) -> None:
        """Choose the columns that fit."""
        self._place()
        self.virtual_size = Size(self.size.width, len(self.rows) + _HEADER)
        self._scroll_to_cursor()

    def on_click(self, event: events.Click) -> None:
        """Sort by a header, mark, choose; a double click opens."""
        if event.button != 1:
            return
        index = event.y - _HEADER + round(self.scroll_y)
        if event.y < _HEADER:
            hit = [p.column.key for p in self._columns if p.x - GAP < event.x <= p.x + p.width]
            if event.x >= _MARK_WIDTH and hit:
                self.post_message(self.HeaderClicked(hit[-1]))
        elif index < len(self.rows):
            self.cursor = index
            if event.x < _MARK_WIDTH:
                self.toggle_mark(self.rows[index]["id"])
            elif event.chain == 2:
                self.post_message(self.Opened())

    # --- drawing ---------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """Forget what was drawn in other colours."""
        super().notify_style_update()
        self._drawn = {}
        self._styles_by_name = {}

    def render_line(self, y: int) -> Strip:
        """Draw a line of the widget; the first is the header, which does not scroll."""
        strip = self._line(y)
        self._drawn[y] = strip
        return strip

    def _place(self) -> None:
        if self._needed:
            self._columns = place_columns(self._needed, _MARK_WIDTH, self.size.width)
        self.refresh()

    def _redraw_changed(self) -> None:
        for y, drawn in list(self._drawn.items()):
            if y >= self.size.height:
                del self._drawn[y]
            elif self._line(y) != drawn:
                self.refresh(Region(0, y, self.size.width, 1))

    def _line(self, y: int) -> Strip:
        if y < _HEADER:
            return self._header()
        index = y - _HEADER + round(self.scroll_y)
        if index >= len(self.rows):
            return Strip.blank(self.size.width, self.rich_style)
        row = self.rows[index]
        base, plain = self.rich_style, False
        if index == self.cursor:
            name = "cursor" if self.has_focus else "cursor-blurred"
            base, plain = self._style(name), self.has_focus
        marked = row["id"] in self.marked
        segments = [
            Segment(" ◆ " if marked else "   ", base if plain else base + self._style("mark"))
        ]
        for placed in self._columns:
            text, colour = placed.column.cell(row, self._moment)
            style = base if plain or not colour else base + self._style(colour)
            segments.append(Segment(_fitted(text, placed) + " " * GAP, style))
        return self._whole(segments, base)

    def _header(self) -> Strip:
        style = self.rich_style + self._style("header")
        key = self._sort.split(",")[0].strip()
        segments = [Segment(" " * _MARK_WIDTH, style)]
        for placed in self._columns:
            title = _fitted(placed.column.title, placed)
            arrow = " "
            if placed.column.title and placed.column.key == key.removeprefix("-"):
                arrow = "↓" if key.startswith("-") else "↑"
                if not placed.column.right:
                    title, arrow = f"{placed.column.title}{arrow}".ljust(placed.width + 1), ""
            segments.append(Segment(title + arrow + " " * (GAP - 1), style))
        return self._whole(segments, style)

    def _whole(self, segments: list[Segment], style: Style) -> Strip:
        return Strip(segments).adjust_cell_length(self.size.width, style)

    def _style(self, name: str) -> Style:
        style = self._styles_by_name.get(name)
        if style is None:
            style = self.get_component_rich_style(f"runs-table--{name}")
            # A colour alone, so that the line of the cursor keeps its background.
            style = style if name in _WHOLE_LINES else Style(color=style.color)
            self._styles_by_name[name] = style
        return style


def _fitted(text: str, placed: Placed) -> str:
    """Return the text in exactly the column's cells."""
    length, width = cell_len(text), placed.width
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    blanks = " " * (width - length)
    return blanks + text if placed.column.right else text + blanks

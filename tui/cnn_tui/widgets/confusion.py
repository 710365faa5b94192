"""The confusion matrix: counts in cells, headers that stay, a cursor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from cnn_core.errors import printable

_HEADER = 2
_NAME = 20
_AROUND = 2
# A share of 1 is drawn in this much of the colour, so that the number can be read.
_STRONGEST = 0.6


class ConfusionMatrix(Widget, can_focus=True):
    """True classes in rows, predicted ones in columns; draws what is in sight, whatever the size.

    The colour of a cell is its share of its row, the diagonal in another colour and underlined.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = "ConfusionMatrix { height: 1fr; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1, 0)", "Up", show=False, id="confusion.up"),
        Binding("down,j", "move(1, 0)", "Down", show=False, id="confusion.down"),
        Binding("left,h", "move(0, -1)", "Left", show=False, id="confusion.left"),
        Binding("right,l", "move(0, 1)", "Right", show=False, id="confusion.right"),
        Binding("pageup", "page(-1, 0)", "Page up", show=False, id="confusion.page_up"),
        Binding("pagedown", "page(1, 0)", "Page down", show=False, id="confusion.page_down"),
        Binding("ctrl+left", "page(0, -1)", "Page left", show=False, id="confusion.page_left"),
        Binding("ctrl+right", "page(0, 1)", "Page right", show=False, id="confusion.page_right"),
        Binding("home", "move(0, -100000)", "First class", show=False, id="confusion.home"),
        Binding("end", "move(0, 100000)", "Last class", show=False, id="confusion.end"),
        Binding("ctrl+home", "corner(0)", "First cell", show=False, id="confusion.first"),
        Binding("ctrl+end", "corner(1)", "Last cell", show=False, id="confusion.last"),
        Binding("n", "jump(1)", "Next largest", id="confusion.next",
                tooltip="Go to the next largest confusion"),
        Binding("N", "jump(-1)", "Larger", show=False, id="confusion.larger",
                tooltip="Go back to the next larger confusion"),
        Binding("d", "diagonal", "Diagonal", show=False, id="confusion.diagonal",
                tooltip="Go to the cell of what is told right in this row"),
        Binding("enter", "open", "Images", id="confusion.open",
                tooltip="Show the images of this cell"),
    ]  # fmt: skip

    @dataclass
    class Moved(Message):
        """The cursor is on another cell: true and predicted class."""

        pair: tuple[int, int]

    @dataclass
    class Opened(Message):
        """The images of a cell are wanted."""

        pair: tuple[int, int]

    def __init__(self) -> None:
        super().__init__()
        self._counts: NDArray[np.int64] = np.zeros((0, 0), np.int64)
        self._names: list[str] = []
        self._ranked: list[tuple[int, int]] = []
        self.cursor = (0, 0)
        self._top = self._left = 0

    def show(self, counts: NDArray[np.int64], classes: Sequence[str]) -> None:
        """Show counts (true, predicted); the cursor goes to the largest confusion, or stays."""
        names = [printable(name) for name in classes]
        anew = names != self._names
        self._counts, self._names = counts, names
        wrong = counts * ~np.eye(len(counts), dtype=bool)
        order = np.argsort(-wrong, axis=None, kind="stable")
        order = order[: np.count_nonzero(wrong)]
        self._ranked = [(int(at) // len(counts), int(at) % len(counts)) for at in order]
        if anew:
            self._top = self._left = 0
            self.cursor = self._ranked[0] if self._ranked else (0, 0)
        self.go(*self.cursor)

    # --- moving --------------------------------------------------------------------------------

    def action_move(self, down: int, right: int) -> None:
        """Move the cursor by so many cells."""
        self.go(self.cursor[0] + down, self.cursor[1] + right)

    def action_page(self, down: int, right: int) -> None:
        """Move the cursor by what is in sight."""
        rows, columns = self._room()
        self.action_move(down * rows, right * columns)

    def action_corner(self, end: int) -> None:
        """Go to the first or the last cell."""
        self.go(end * len(self._names), end * len(self._names))

    def action_diagonal(self) -> None:
        """Go to the diagonal in this row."""
        self.go(self.cursor[0], self.cursor[0])

    def action_jump(self, step: int) -> None:
        """Go to the next largest confusion after the one under the cursor, or before it."""
        if self._ranked:
            here = self._ranked.index(self.cursor) + step if self.cursor in self._ranked else 0
            self.go(*self._ranked[here % len(self._ranked)])

    def action_open(self) -> None:
        """Ask for the images of the cell."""
        if self._names:
            self.post_message(self.Opened(self.cursor))

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self.go(*self.cursor)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Move on."""
        event.stop()
        self.action_move(*((0, 3) if event.shift else (3, 0)))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Move back."""
        event.stop()
        self.action_move(*((0, -3) if event.shift else (-3, 0)))

    def on_click(self, event: events.Click) -> None:
        """Go to the cell; a double click opens it."""
        label, width = self._widths()
        if event.x < label or event.y < _HEADER or not self._names:
            return
        row, column = event.y - _HEADER + self._top, (event.x - label) // width + self._left
        if row < len(self._names) and column < len(self._names):
            self.go(row, column)
            if event.chain == 2:
                self.action_open()

    def go(self, row: int, column: int) -> None:
        """Put the cursor on a cell, or on the nearest one there is; far away, in the middle."""
        last = len(self._names) - 1
        if last < 0:
            return
        self.cursor = (min(max(row, 0), last), min(max(column, 0), last))
        if self.size:
            rows, columns = self._room()
            self._top = _scrolled(self._top, self.cursor[0], rows, last)
            self._left = _scrolled(self._left, self.cursor[1], columns, last)
        self.post_message(self.Moved(self.cursor))
        self.refresh()

    # --- drawing -------------------------------------------------------------------------------

    def _widths(self) -> tuple[int, int]:
        """Return the cells for the names of rows and for each column."""
        longest = max(map(cell_len, self._names), default=1)
        label = max(min(longest, _NAME, self.size.width // 4), len("true ↓")) + 1
        needed = max(len(str(self._counts.max(initial=0))) + 2, 5)
        fair = (self.size.width - label) // max(len(self._names), 1)
        return label, max(needed, min(fair, longest + 1, 12))

    def _room(self) -> tuple[int, int]:
        """Return how many rows and columns are in sight."""
        label, width = self._widths()
        return max(self.size.height - _HEADER, 1), max((self.size.width - label) // width, 1)

    def render_line(self, y: int) -> Strip:
        """Draw the header or a row."""
        base = self.visual_style.rich_style
        if not self._names:
            return Strip.blank(self.size.width, base)
        if y == 0:
            segments = self._title()
        else:
            row = y - _HEADER + self._top
            segments = self._names_of_columns() if y == 1 else self._row(row)
        return Strip(segments).apply_style(base).adjust_cell_length(self.size.width, base)

    def _title(self) -> list[Segment]:
        label, _ = self._widths()
        rows, columns = self._room()
        count = len(self._names)
        more = [
            f"{word} {start + 1}–{min(start + shown, count)} of {count}"
            for word, start, shown in (("rows", self._top, rows), ("columns", self._left, columns))
            if shown < count
        ]
        text = f"{'true ↓':<{label}}predicted →  {'  '.join(more)}"
        return [Segment(text, Style(dim=True))]

    def _names_of_columns(self) -> list[Segment]:
        label, width = self._widths()
        segments = [Segment(" " * label)]
        for column in self._columns():
            here = column == self.cursor[1]
            name = set_cell_size(self._names[column], min(cell_len(self._names[column]), width - 1))
            segments.append(Segment(" " * (width - cell_len(name))))
            segments.append(Segment(name, Style(bold=here, reverse=here)))
        return segments

    def _row(self, row: int) -> list[Segment]:
        if row >= len(self._names):
            return []
        label, width = self._widths()
        here = row == self.cursor[0]
        name = self._names[row]
        if cell_len(name) > label - 1:
            name = set_cell_size(name, label - 2) + "…"
        segments = [
            Segment(name, Style(bold=here, reverse=here)),
            Segment(" " * (label - cell_len(name))),
        ]
        images = max(int(self._counts[row].sum()), 1)
        for column in self._columns():
            count = int(self._counts[row, column])
            text = f"{count if count else '·':>{width - 1}} "
            segments.append(Segment(text, self._style(row, column, count / images)))
        return segments

    def _columns(self) -> range:
        return range(self._left, min(self._left + self._room()[1], len(self._names)))

    def _style(self, row: int, column: int, share: float) -> Style:
        right = row == column
        if (row, column) == self.cursor:
            return Style(reverse=True, bold=True, underline=right)
        if not share:
            return Style(dim=True, underline=right)
        variables = self.app.theme_variables
        paper = Color.parse(variables["background"])
        ink = Color.parse(variables["success" if right else "error"])
        # The root lets one see a few images among hundreds.
        back = paper.blend(ink, _STRONGEST * share**0.5)
        return Style(bgcolor=back.rich_color, bold=right, underline=right)


def _scrolled(start: int, at: int, room: int, last: int) -> int:
    """Return the first place to show so that ``at`` and its neighbours are in sight.

    It moves as little as possible; what is more than a page away comes to the middle.
    """
    if start - room <= at < start + 2 * room:
        around = min(_AROUND, (room - 1) // 2)
        start = min(max(start, at - room + 1 + around), at - around)
    else:
        start = at - room // 2
    return max(min(start, last + 1 - room), 0)

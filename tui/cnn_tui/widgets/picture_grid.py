"""Pictures with captions in a grid: as many as fit, page by page, with a cursor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from cnn_tui.widgets.picture import Picture, Pixels

# Cells of a tile: two lines are its caption, and two pixels are in a cell.
_LEAST_HEIGHT, _MOST_HEIGHT = 12, 14
_CAPTION = 2


class _Tile(Vertical):
    """A picture over two lines of text."""

    DEFAULT_CSS = """
    _Tile { padding: 0 1 0 0; }
    _Tile > Static { height: 2; width: 100%; text-wrap: nowrap; text-overflow: ellipsis; }
    _Tile.-cursor > Static {
        background: $block-cursor-background; text-style: bold underline;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.picture, self.text = Picture(), Static(markup=False)

    def compose(self) -> ComposeResult:
        yield self.picture
        yield self.text


class PictureGrid(Widget, can_focus=True):
    """Holds places for ``total`` pictures; who shows it fills those in sight when asked."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "PictureGrid { layout: grid; height: 1fr; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "Left", show=False, id="pictures.left"),
        Binding("right,l", "move(1)", "Right", show=False, id="pictures.right"),
        Binding("up,k", "line(-1)", "Up", show=False, id="pictures.up"),
        Binding("down,j", "line(1)", "Down", show=False, id="pictures.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="pictures.page_up"),
        Binding("pagedown,space", "page(1)", "Page down", show=False, id="pictures.page_down"),
        Binding("home", "to(0)", "First", show=False, id="pictures.first"),
        Binding("end", "to(-1)", "Last", show=False, id="pictures.last"),
        Binding("enter", "open", "Large", id="pictures.open", tooltip="Show the picture large"),
    ]

    class Wanted(Message):
        """Other places are in sight."""

    @dataclass
    class Opened(Message):
        """The picture at the cursor is wanted large."""

        place: int

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self.cursor = 0
        self._grid = (1, 1)

    @property
    def in_sight(self) -> range:
        """The places of the page that the cursor is on."""
        capacity = self._grid[0] * self._grid[1]
        first = self.cursor // capacity * capacity
        return range(first, min(first + capacity, self.total))

    @property
    def caption_width(self) -> int:
        """Cells in a line of a caption."""
        return max(self.size.width // self._grid[1] - 1, 1)

    def show(self, total: int) -> None:
        """Hold so many pictures, the cursor on the first one."""
        self.total, self.cursor = total, 0
        self.post_message(self.Wanted())

    def fill(self, pictures: Sequence[Pixels | None], captions: Sequence[Content]) -> None:
        """Show these in the places in sight; None is a picture that is gone."""
        tiles = list(self.query(_Tile))
        for number, tile in enumerate(tiles):
            there = number < len(pictures)
            tile.visible = there
            if there:
                tile.picture.show(pictures[number])
                tile.text.update(captions[number])
        self._show_cursor()

    async def on_resize(self, event: events.Resize) -> None:
        """Make as many places as fit."""
        width, height = event.size
        rows = max(height // _LEAST_HEIGHT, 1)
        tall = min(height // rows, _MOST_HEIGHT)
        columns = max(width // max(2 * (tall - _CAPTION) + 1, 12), 1)
        if (rows, columns) != self._grid or not self.children:
            self._grid = rows, columns
            self.styles.grid_size_rows, self.styles.grid_size_columns = rows, columns
            self.styles.grid_rows = str(tall)  # no more than the pictures fill
            tiles = list(self.query(_Tile))
            if len(tiles) < rows * columns:
                await self.mount_all(_Tile() for _ in range(rows * columns - len(tiles)))
            for surplus in tiles[rows * columns :]:
                await surplus.remove()
            for tile in self.query(_Tile):
                tile.visible = False
        self.post_message(self.Wanted())

    def on_click(self, event: events.Click) -> None:
        """Go to a picture; a double click opens it."""
        for number, tile in enumerate(self.query(_Tile)):
            if tile.visible and tile.region.contains(event.screen_x, event.screen_y):
                self._go(self.in_sight.start + number)
                if event.chain == 2:
                    self.action_open()
                return

    def on_mouse_scroll_down(self) -> None:
        """Show the next page."""
        self.action_page(1)

    def on_mouse_scroll_up(self) -> None:
        """Show the page before."""
        self.action_page(-1)

    def action_move(self, step: int) -> None:
        """Go on by so many pictures."""
        self._go(self.cursor + step)

    def action_line(self, step: int) -> None:
        """Go on by so many lines."""
        self._go(self.cursor + step * self._grid[1])

    def action_page(self, step: int) -> None:
        """Go on by so many pages."""
        self._go(self.cursor + step * self._grid[0] * self._grid[1])

    def action_to(self, place: int) -> None:
        """Go to a place, from the end where it is negative."""
        self._go(place % self.total if self.total else 0)

    def action_open(self) -> None:
        """Ask for the picture at the cursor, large."""
        if self.total:
            self.post_message(self.Opened(self.cursor))

    def _go(self, place: int) -> None:
        before = self.in_sight
        self.cursor = min(max(place, 0), max(self.total - 1, 0))
        if self.in_sight != before:
            self.post_message(self.Wanted())
        else:
            self._show_cursor()

    def _show_cursor(self) -> None:
        here = self.cursor - self.in_sight.start
        for number, tile in enumerate(self.query(_Tile)):
            tile.set_class(number == here and self.total > 0, "-cursor")

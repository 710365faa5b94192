"""Many small pictures in one widget, as many as fit, page by page."""

from collections.abc import Sequence

from textual.color import Color

from cnn_tui.mosaic import mosaic
from cnn_tui.widgets.picture import Picture, Pixels


class Mosaic(Picture):
    """Pictures of one shape in a grid; the caption tells which of them are in sight."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._pictures: Sequence[Pixels] = ()
        self._words = ""
        self._first = self._in_sight = 0

    def show_all(self, pictures: Sequence[Pixels], words: str, *, anew: bool) -> None:
        """Show these pictures, ``anew`` from the first one."""
        self._pictures, self._words = pictures, words
        self._first = 0 if anew else min(self._first, len(pictures) - 1)
        self._draw()

    def page(self, step: int) -> None:
        """Show further pictures; after the last ones the first ones."""
        first = self._first + step * self._in_sight
        self._first = first if 0 <= first < len(self._pictures) else 0
        self._draw()

    def on_resize(self) -> None:
        """Fill the new size."""
        self._draw()

    def _draw(self) -> None:
        columns, rows = self.size.width, self.size.height - 1
        if not self._pictures or columns < 1 or rows < 1:
            return
        paper = Color.parse(self.app.theme_variables["background"]).rgb
        image_HWC, self._in_sight = mosaic(self._pictures[self._first :], columns, rows, paper)
        words, count = self._words, len(self._pictures)
        if self._in_sight < count:
            last = self._first + self._in_sight
            place = f"{self._first + 1}–{last} of {count}"
            words = f"{words}, {place}" if words else place
        self.show(image_HWC, words or " ")

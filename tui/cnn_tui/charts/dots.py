"""Lines as Braille characters: 2 by 4 dots in a cell."""

import numpy as np
from numpy.typing import NDArray

from cnn_core.figures.palette import FADED
from cnn_core.figures.series import Floats
from cnn_tui.charts.cells import Cells

# The bit of the dot in row and column of a cell, from the top (Unicode 15, section 21.1).
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint8)
_BRAILLE = 0x2800


class Canvas:
    """Cells that hold one character and the role it plays (see ``roles``); 0 is empty.

    Positions are in dots, from the lower left: x in ``0 .. 2 * columns - 1``, y in
    ``0 .. 4 * rows - 1``. Whatever lies outside is cut off.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._characters = np.zeros((rows, columns), np.int32)
        self._roles = np.zeros((rows, columns), np.int32)
        self._bits = np.zeros((rows, columns), np.uint8)

    def add_rule(self, column: int, character: str, role: int) -> None:
        """Draw a vertical line through a column of cells."""
        self._characters[:, column] = ord(character)
        self._roles[:, column] = role

    def add_line(self, x: Floats, y: Floats, role: int) -> None:
        """Draw through the points, over what was there; NaN in y is a gap.

        A faded curve vanishes where another is drawn over it.
        """
        column, row = _dots(x, y)
        inside = (column >= 0) & (column < 2 * self.columns) & (row >= 0) & (row < 4 * self.rows)
        column, row = column[inside], row[inside]
        bits = np.zeros((self.rows, self.columns), np.uint8)
        np.bitwise_or.at(bits, (row // 4, column // 2), _BITS[3 - row % 4, column % 2])
        drawn = bits > 0
        # A cell has one colour. Where curves meet, both keep their dots: neither has holes.
        bits |= np.where(drawn & ((self._roles < FADED) == (role < FADED)), self._bits, 0)
        self._bits[drawn] = bits[drawn]
        self._characters[drawn] = bits[drawn].astype(np.int32) + _BRAILLE
        self._roles[drawn] = role

    def add_marker(self, x: Floats, y: Floats, character: str, role: int) -> None:
        """Put a character into the cells of the points."""
        column, row = (np.rint(x).astype(np.int64) // 2, np.rint(y).astype(np.int64) // 4)
        inside = (column >= 0) & (column < self.columns) & (row >= 0) & (row < self.rows)
        self._characters[row[inside], column[inside]] = ord(character)
        self._roles[row[inside], column[inside]] = role

    def lay_over(self, cells: Cells, left: int) -> None:
        """Put what was drawn over other cells, from column ``left`` of the first row on."""
        row, column = np.nonzero(self._characters)
        characters = map(chr, self._characters[row, column].tolist())
        roles = self._roles[row, column].tolist()
        places = zip((self.rows - 1 - row).tolist(), (left + column).tolist(), strict=True)
        for (y, x), character, role in zip(places, characters, roles, strict=True):
            cells.characters[y][x] = character
            cells.roles[y][x] = role


def _dots(x: Floats, y: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the dots on the lines between neighbours, and the points that have none."""
    finite = np.isfinite(y)
    joined = finite[:-1] & finite[1:]
    start = np.flatnonzero(joined)
    run, rise = np.diff(x)[start], np.diff(y)[start]
    steps = np.ceil(np.maximum(np.abs(run), np.abs(rise))).astype(np.int64) + 1
    segment = np.repeat(np.arange(len(start)), steps)
    number = np.arange(len(segment)) - np.repeat(np.cumsum(steps) - steps, steps)
    share = number / np.maximum(steps - 1, 1)[segment]
    line_x = x[start][segment] + share * run[segment]
    line_y = y[start][segment] + share * rise[segment]
    column = np.rint(np.r_[line_x, x[finite]]).astype(np.int64)
    row = np.rint(np.r_[line_y, y[finite]]).astype(np.int64)
    return column, row

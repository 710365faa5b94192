"""A surface with paths over it in cells: two points in one, as a half block and its ground."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from cnn_core.figures.palette import Rgb, curve_rgb
from cnn_core.surfaces.descent import Step
from cnn_core.surfaces.field import Values, sample
from cnn_core.surfaces.heat import coloured, heat_of
from cnn_core.surfaces.surface import Point, Surface
from cnn_tui.charts.palette import MARKERS

_SHADES = " ░▒▓"  # of what has no colour; a full block would hide what lies beside it
_START, _MINIMUM = "+", "x"
_FINER = 4
_WHITE: Rgb = (255, 255, 255)
_NONE = -1


class SurfaceCells:
    """A heat map of ``columns`` x ``rows`` cells, of the function or of ``grid`` pixels squared.

    The domain is a square, which has half as many rows as columns.

    Paths are drawn into it step by step, and what changed is told as rows. Without colour heights
    are shades and paths are made of the markers of their curves.
    """

    def __init__(
        self, surface: Surface, grid: int | None, columns: int, rows: int, *, colour: bool = True
    ) -> None:
        self.columns, self.rows, self._colour = columns, rows, colour
        self._box = surface.domain
        self._shares_HW = _shares(surface, grid, columns, 2 * rows)
        self._pixels_HWC = coloured(self._shares_HW)
        # Each shade fills as much of the map as any other, whatever the heights.
        bounds = np.quantile(self._shares_HW, (0.25, 0.5, 0.75))
        self._shades_RC = np.searchsorted(bounds, self._shares_HW[::2])
        self._minima = {self.cell(*minimum) for minimum in surface.minima}
        self.clear()

    def clear(self) -> None:
        """Take the paths away."""
        self._paths_HW: NDArray[np.int8] = np.full(self._shares_HW.shape, _NONE, np.int8)
        self._ends: dict[int, tuple[int, int]] = {}
        self._start: tuple[int, int] | None = None

    # Where things are

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Return the column and the row of a point, counted from above."""
        across, down = self._pixel(x, y)
        return across, down // 2

    def point(self, column: int, row: int) -> Point:
        """Return the point in the middle of a cell."""
        box = self._box
        return (
            box.x_low + (column + 0.5) / self.columns * box.side,
            box.y_high - (row + 0.5) / self.rows * box.side,
        )

    def _pixel(self, x: float, y: float) -> tuple[int, int]:
        box, (height, width) = self._box, self._shares_HW.shape
        across = int((x - box.x_low) / box.side * width)
        down = int((box.y_high - y) / box.side * height)
        return min(max(across, 0), width - 1), min(max(down, 0), height - 1)

    # What is drawn

    def put_start(self, x: float, y: float) -> set[int]:
        """Put the cross there; return the rows that changed."""
        before, self._start = self._start, self.cell(x, y)
        return {at[1] for at in (before, self._start) if at is not None}

    def extend(self, style: int, steps: Sequence[Step]) -> set[int]:
        """Draw the lines between some steps, in their order; return the rows that changed.

        They go on from the last of the steps that were drawn, which has to be the first of these.
        """
        changed: set[int] = set()
        inside = [step for step in steps if np.isfinite(step.x) and np.isfinite(step.y)]
        at = [self._pixel(step.x, step.y) for step in inside]
        for before, after in zip(at[: 1 if len(at) == 1 else -1], at[1:] or at, strict=True):
            count = max(abs(after[0] - before[0]), abs(after[1] - before[1])) + 1
            across = np.linspace(before[0], after[0], count).round().astype(int)
            down = np.linspace(before[1], after[1], count).round().astype(int)
            self._paths_HW[down, across] = style
            changed.update((down // 2).tolist())
        if at:
            before_end = self._ends.get(style)
            self._ends[style] = at[-1][0], at[-1][1] // 2
            changed.update(end[1] for end in (before_end, self._ends[style]) if end is not None)
        return changed

    def row(self, row: int) -> list[Segment]:
        """Return the cells of a row."""
        marks = {column: (_MINIMUM, _WHITE) for column, at in self._minima if at == row}
        marks.update(
            (column, (MARKERS[style], _of(style)))
            for style, (column, at) in self._ends.items()
            if at == row
        )
        if self._start is not None and self._start[1] == row:
            marks[self._start[0]] = _START, _WHITE
        upper, lower = self._paths_HW[2 * row : 2 * row + 2]
        if not self._colour:
            shades = self._shades_RC[row]
            return _joined(
                (marks[c][0] if c in marks else _sign(upper[c], lower[c], shades[c]), None)
                for c in range(self.columns)
            )
        pixels = self._pixels_HWC[2 * row : 2 * row + 2].copy()
        for pixel_row, path in zip(pixels, (upper, lower), strict=True):
            for column in np.flatnonzero(path != _NONE):
                pixel_row[column] = _of(int(path[column]))
        above, below = pixels.tolist()
        ground = self._pixels_HWC[2 * row].tolist()
        return _joined(
            (marks[c][0], _style(marks[c][1], tuple(ground[c]), True))
            if c in marks
            else ("▀", _style(tuple(above[c]), tuple(below[c])))
            for c in range(self.columns)
        )


def _shares(surface: Surface, grid: int | None, columns: int, height: int) -> Values:
    """Return the heights of points from above; ripples finer than a point are their mean there."""
    box = surface.domain
    across = (np.arange(_FINER * columns) + 0.5) / (_FINER * columns)
    up = 1 - (np.arange(_FINER * height) + 0.5) / (_FINER * height)
    if grid is None:
        at = np.meshgrid(box.x_low + across * box.side, box.y_low + up * box.side)
        values = surface.formula(np, *at)
    else:
        rows, pixels = ((shares * (grid - 1)).round().astype(int) for shares in (up, across))
        values = sample(surface, grid)[np.ix_(rows, pixels)]
    shares = heat_of(surface).shares(values)
    return np.asarray(shares.reshape(height, _FINER, columns, _FINER).mean((1, 3)))


def _sign(upper: int, lower: int, shade: int) -> str:
    style = max(upper, lower)
    return MARKERS[style] if style != _NONE else _SHADES[shade]


def _joined(cells: Iterable[tuple[str, Style | None]]) -> list[Segment]:
    """Return segments, one for neighbours that look the same."""
    segments: list[Segment] = []
    for text, style in cells:
        if segments and segments[-1].style is style:
            segments[-1] = Segment(segments[-1].text + text, style)
        else:
            segments.append(Segment(text, style))
    return segments


def _of(style: int) -> Rgb:
    return curve_rgb(style, dark=True) or _WHITE


@lru_cache(maxsize=4096)
def _style(front: Rgb, ground: Rgb, bold: bool = False) -> Style:
    return Style(color=Color.from_rgb(*front), bgcolor=Color.from_rgb(*ground), bold=bold)

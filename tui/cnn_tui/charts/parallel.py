"""Parallel coordinates in cells: a line for each trial, a vertical axis for each quantity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.style import Style

from cnn_core.errors import printable
from cnn_core.figures.palette import xterm_rgb
from cnn_core.figures.series import Floats
from cnn_tui.charts.cells import Cells
from cnn_tui.charts.dots import Canvas
from cnn_tui.charts.legend import cut
from cnn_tui.charts.palette import MUTED, TEXT, Ink, styles
from cnn_tui.charts.plot import Drawing

# From the worst to the best, of the 256 colours of xterm: viridis' hues, its brightness reversed
# on light backgrounds, so that what is good stands out.
_ON_DARK = (60, 61, 67, 31, 37, 77, 148, 226)
_ON_LIGHT = (250, 151, 115, 73, 37, 31, 25, 54)
# The shares of trials that are better than those of each step, from the best step on: of hundreds
# of lines, few can stand out.
_BETTER = (0.02, 0.05, 0.1, 0.2, 0.35, 0.55, 0.8)
Bools = NDArray[np.bool_]
_WORST = TEXT + 1  # its role; those of better ones follow
_NARROWEST = 7  # cells from axis to axis


@dataclass(frozen=True, slots=True)
class Axis:
    """A quantity: its name and where each line crosses it, in 0..1 from below; NaN: nowhere.

    ``labels`` are texts at places in 0..1.
    """

    name: str
    places: Floats
    labels: tuple[tuple[float, str], ...]


def compose_parallel(
    axes: Sequence[Axis], merit: Floats, width: int, height: int, *, ink: Ink | None = None
) -> Drawing:
    """Return lines through the axes, each coloured by its merit (rank) in 0..1, the best on top.

    Where there is no room for all axes, those before the last one are left out.
    """
    ink = ink or Ink()
    looks = (*styles(ink), *_scale(ink))
    rows = height - 2  # names above, the scale of colours below
    if not len(merit) or rows < 2 or width < 2 * _NARROWEST:
        return Drawing(_said("no trial has finished yet", width, height).segments(looks))
    axes = _fitting(axes, width)
    columns = _columns(axes, width)
    body = Cells.blank(width, rows)
    steps = len(_BETTER) - np.digitize(1 - merit, _BETTER)
    for step in np.unique(steps):
        # Each on a canvas of its own: a cell shows the dots of its best lines only.
        canvas = Canvas(width, rows)
        _add_lines(canvas, axes, columns, steps == step, _WORST + int(step))
        canvas.lay_over(body, 0)
    names, scale = Cells.blank(width, 1), Cells.blank(width, 1)
    for place, (axis, column) in enumerate(zip(axes, columns, strict=True)):
        end = columns[place + 1] if place + 1 < len(columns) else width
        _put_axis(body, axis, column, end)
        name = cut(printable(axis.name), end - column - 1)
        names.put(column, 0, name, TEXT)
    _put_scale(scale, len(merit))
    body.insert(names)
    body.characters += scale.characters
    body.roles += scale.roles
    return Drawing(body.segments(looks))


def _scale(ink: Ink) -> tuple[Style, ...]:
    numbers = _ON_DARK if ink.dark else _ON_LIGHT
    return tuple(Style(color=Color.from_triplet(ColorTriplet(*xterm_rgb(n)))) for n in numbers)


def _said(message: str, width: int, height: int) -> Cells:
    cells = Cells.blank(max(width, 0), max(height, 0))
    if height > 0:
        cells.put(max((width - len(message)) // 2, 0), (height - 1) // 2, message, MUTED)
    return cells


def _fitting(axes: Sequence[Axis], width: int) -> list[Axis]:
    most = max(width // _NARROWEST, 2)
    return [*axes] if len(axes) <= most else [*axes[: most - 1], axes[-1]]


def _columns(axes: Sequence[Axis], width: int) -> list[int]:
    """Return the column of each axis; behind the last one is room for its name and labels."""
    texts = [axes[-1].name, *(text for _, text in axes[-1].labels)]
    right = min(max(cell_len(printable(text)) for text in texts) + 1, width // 4)
    count = max(len(axes) - 1, 1)
    return [round((width - 1 - right) * place / count) for place in range(len(axes))]


def _add_lines(
    canvas: Canvas, axes: Sequence[Axis], columns: Sequence[int], chosen: Bools, role: int
) -> None:
    heights = np.array([axis.places[chosen] * (4 * canvas.rows - 1) for axis in axes])
    gap = np.full((1, heights.shape[1]), np.nan)
    x = np.array([*(2.0 * column for column in columns), 2.0 * columns[-1]])
    canvas.add_line(np.tile(x, heights.shape[1]), np.vstack([heights, gap]).T.ravel(), role)


def _put_axis(body: Cells, axis: Axis, column: int, end: int) -> None:
    rows = len(body.characters)
    for row in range(rows):
        body.put(column, row, "│", MUTED)
    taken: set[int] = set()
    for place, text in axis.labels:
        row = rows - 1 - round(place * (rows - 1))
        if row not in taken:
            taken.add(row)
            body.put(column, row, "┤", MUTED)
            body.put(column + 1, row, cut(printable(text), max(end - column - 2, 1)), TEXT)


def _put_scale(cells: Cells, trials: int) -> None:
    column = cells.put(0, 0, "worst ", MUTED)
    for step in range(len(_ON_DARK)):
        column = cells.put(column, 0, "━━", _WORST + step)
    count = "1 trial" if trials == 1 else f"{trials:,} trials"
    cells.put(column, 0, f" best of {count} that finished", MUTED)

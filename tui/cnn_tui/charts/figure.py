"""Axes around a canvas: the one place that knows plotext.

plotext draws the axes, their ticks and the lines across; the curves reach it as characters that
``dots`` makes. Its own lines between points take 5 µs of Python a dot, 50 ms for noisy curves,
in which a training in the same process stands still.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textual_plotext import Plot

from cnn_tui.charts.cells import Cells
from cnn_tui.charts.dots import Canvas
from cnn_tui.charts.palette import GRID, MUTED
from cnn_tui.charts.ticks import Tick


@dataclass(frozen=True, slots=True)
class Axes:
    """Ticks, and where lines cross the canvas: in cells of it, from its lower left."""

    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    marks: Sequence[float]


def around(canvas: Canvas, axes: Axes | None, width: int, height: int) -> Cells:
    """Return a canvas with its axes, if any, in ``width`` times ``height`` cells."""
    figure: Any = Plot()  # its stubs leave out what is needed here
    # plotsize() would cut it to the terminal of the process, which need not be the one shown.
    figure._set_size(width, height)
    figure.theme("clear")
    figure.xlim(-0.5, canvas.columns - 0.5)
    figure.ylim(-0.5, canvas.rows - 0.5)
    figure.frame(False)
    figure.xticks([])
    figure.yticks([])
    if axes is not None:
        figure.ticks_color(MUTED)
        figure.xaxes(True, False)
        figure.yaxes(True, False)
        figure.xticks([at for at, _ in axes.x_ticks], [label for _, label in axes.x_ticks])
        figure.yticks([at for at, _ in axes.y_ticks], [label for _, label in axes.y_ticks])
        for at, _ in axes.y_ticks:
            figure.horizontal_line(at, color=GRID)
        for at in axes.marks:
            figure.vertical_line(at, color=MUTED)
    columns, rows, characters, roles = canvas.cells()
    # Without any data it leaves the axes out: a blank is enough.
    figure.scatter(columns or [0], rows or [0], marker=characters or [" "], color=roles or [GRID])
    figure._set_sizes()
    figure._build_matrix()
    matrix = figure.monitor.matrix
    return Cells(
        [list(row) for row in matrix.marker[::-1]],
        [
            [role if isinstance(role, int) else MUTED for role in row]
            for row in matrix.fullground[::-1]
        ],
    )

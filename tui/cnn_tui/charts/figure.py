"""The axes of a chart: the one place that knows plotext.

plotext draws axes, ticks, their labels and the lines across. The curves are laid over them by
``dots``: plotext's own lines between points take 5 µs of Python a dot, 50 ms for noisy curves, in
which a training in the same process stands still.
"""

from collections.abc import Sequence
from typing import Any

from textual_plotext import Plot

from cnn_tui.charts.cells import RULE, Cells
from cnn_tui.charts.palette import GRID, MUTED
from cnn_tui.charts.ticks import Tick


def axes(
    columns: int, rows: int, x_ticks: Sequence[Tick], y_ticks: Sequence[Tick], left: int
) -> Cells:
    """Return the axes of a canvas, which begins in column ``left`` and in the first row.

    Ticks are in cells of the canvas, from its lower left; there is at least one for x. The labels
    of y and the axis are ``left`` cells wide.
    """
    figure: Any = Plot()  # its stubs leave out what is needed here
    # plotsize() would cut it to the terminal of the process, which need not be the one shown.
    figure._set_size(left + columns, rows + 2)
    figure.theme("clear")
    figure.ticks_color(MUTED)
    figure.xaxes(True, False)
    figure.yaxes(True, False)
    figure.xlim(-0.5, columns - 0.5)
    figure.ylim(-0.5, rows - 0.5)
    figure.xticks([at for at, _ in x_ticks], [label for _, label in x_ticks])
    figure.yticks([at for at, _ in y_ticks], [label for _, label in y_ticks])
    for at, _ in y_ticks:
        figure.horizontal_line(at, color=GRID)
    figure.scatter([0], [0], marker=" ")  # without any data it leaves the axes out
    figure._set_sizes()
    figure._build_matrix()
    matrix = figure.monitor.matrix
    # Blanks have no colour there.
    roles = [[r if isinstance(r, int) else MUTED for r in row] for row in matrix.fullground[::-1]]
    characters = [
        [RULE if role == GRID else character for character, role in zip(row, of_row, strict=True)]
        for row, of_row in zip(matrix.marker[::-1], roles, strict=True)
    ]
    return Cells(characters, roles)

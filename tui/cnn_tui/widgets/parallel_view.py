"""Parallel coordinates as a widget."""

from collections.abc import Sequence

import numpy as np
from textual.geometry import Size

from cnn_core.figures.series import Floats
from cnn_tui.charts.palette import Ink
from cnn_tui.charts.parallel import Axis, compose_parallel
from cnn_tui.charts.plot import Drawing
from cnn_tui.widgets.drawn import Drawn


class ParallelView(Drawn):
    """A line for each trial through an axis for each quantity, coloured by its merit."""

    DEFAULT_CSS = "ParallelView { width: 1fr; height: 1fr; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._axes: Sequence[Axis] = ()
        self._merit: Floats = np.zeros(0)

    def show(self, axes: Sequence[Axis], merit: Floats) -> None:
        """Show these lines as soon as the budget allows it."""
        self._axes, self._merit = axes, merit
        if self.drawings:
            self.draw_later()
        else:
            self.draw_now()

    def compose_drawing(self, size: Size, ink: Ink) -> Drawing:
        """Draw the lines."""
        return compose_parallel(self._axes, self._merit, *size, ink=ink)

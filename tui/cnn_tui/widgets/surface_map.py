"""A surface as a heat map with paths, and the start of descents to be moved over it."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from cnn_core.surfaces.descent import Step
from cnn_core.surfaces.surface import Point, Surface
from cnn_tui.surface_cells import SurfaceCells
from cnn_tui.widgets.half_blocks import fitted

_SHARE = 0.01  # of the domain, that an arrow key moves the start by


class SurfaceMap(Widget, can_focus=True):
    """As large a square as fits; only the rows that changed are painted anew."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            key,
            f"move({x},{y})",
            f"Start {word}",
            show=False,
            id=f"surface.{name}",
            tooltip=f"Move the start {word}: by {abs(x + y)} % of the domain",
        )
        for key, x, y, word, name in (
            *(("left", -1, 0, "to the left", "left"), ("right", 1, 0, "to the right", "right")),
            *(("up", 0, 1, "up", "up"), ("down", 0, -1, "down", "down")),
            ("shift+left", -10, 0, "far to the left", "far_left"),
            ("shift+right", 10, 0, "far to the right", "far_right"),
            ("shift+up", 0, 10, "far up", "far_up"),
            ("shift+down", 0, -10, "far down", "far_down"),
        )
    ]

    class Moved(Message):
        """The start was put elsewhere."""

        def __init__(self, x: float, y: float) -> None:
            super().__init__()
            self.x, self.y = x, y

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: tuple[Surface, int | None] | None = None
        self._start: Point = (0.0, 0.0)
        self._paths: dict[int, tuple[Sequence[Step], int]] = {}
        self._cells: SurfaceCells | None = None

    # What is shown

    def show(self, surface: Surface, grid: int | None, start: Point) -> None:
        """Show a surface, or its image of ``grid`` pixels, without paths."""
        self._paths = {}
        if self._shown == (surface, grid) and self._cells is not None:
            self._cells.clear()
            self._cells.put_start(*start)
        else:
            self._shown, self._cells = (surface, grid), None
        self._start = start
        self.refresh()

    def extend(self, style: int, steps: Sequence[Step], upto: int) -> None:
        """Draw a path on, to its step ``upto`` or to its end; ``steps`` may still grow."""
        _, before = self._paths.get(style, (steps, 0))
        last = min(upto, len(steps) - 1)
        if style in self._paths and last <= before:
            return
        self._paths[style] = steps, last
        if self._cells is not None:
            self._paint(self._cells.extend(style, steps[before : last + 1]))

    def on_resize(self) -> None:
        """Draw all of it in the new size."""
        self._cells = None

    def render_line(self, y: int) -> Strip:
        """Return a line of the map, in the middle of the widget."""
        cells = self._drawn()
        base = self.visual_style.rich_style
        row = y - self._top
        if cells is None or not 0 <= row < cells.rows:
            return Strip.blank(self.size.width, base)
        blank = Strip.blank(self._left, base)
        line = Strip([*blank, *cells.row(row)])
        return line.extend_cell_length(self.size.width, base).apply_style(base)

    def _drawn(self) -> SurfaceCells | None:
        if self._cells is None and self._shown is not None and self.size:
            columns, rows = fitted((1, 1), *self.size)
            colour = not self.app.no_color and self.app.console.color_system is not None
            cells = SurfaceCells(*self._shown, columns, rows, colour=colour)
            cells.put_start(*self._start)
            for style, (steps, last) in self._paths.items():
                cells.extend(style, steps[: last + 1])
            self._cells = cells
        return self._cells

    def _paint(self, rows: Iterable[int]) -> None:
        self.refresh(*(Region(0, self._top + row, self.size.width, 1) for row in rows))

    @property
    def _left(self) -> int:
        return 0 if self._cells is None else (self.size.width - self._cells.columns) // 2

    @property
    def _top(self) -> int:
        return 0 if self._cells is None else (self.size.height - self._cells.rows) // 2

    # The start

    def action_move(self, x: int, y: int) -> None:
        """Move the start by so many hundredths of the domain."""
        if self._shown is not None:
            step = self._shown[0].domain.side * _SHARE
            self._move_to(self._start[0] + x * step, self._start[1] + y * step)

    def on_click(self, event: events.Click) -> None:
        """Put the start into the cell."""
        offset, cells = event.get_content_offset(self), self._cells
        if offset is None or cells is None:
            return
        column, row = offset.x - self._left, offset.y - self._top
        if 0 <= column < cells.columns and 0 <= row < cells.rows:
            self._move_to(*cells.point(column, row))

    def _move_to(self, x: float, y: float) -> None:
        assert self._shown is not None
        box = self._shown[0].domain
        x = round(min(max(x, box.x_low), box.x_high), 6)
        y = round(min(max(y, box.y_low), box.y_high), 6)
        self.post_message(self.Moved(x, y))

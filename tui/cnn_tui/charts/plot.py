"""Curves drawn in cells: ranges, layout, legend."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.segment import Segment
from rich.text import Text

from cnn_core.errors import printable
from cnn_core.figures.curves import HUGE, Line, Range, lines_of, role_of
from cnn_core.figures.curves import Curve as Curve
from cnn_core.figures.curves import View as View
from cnn_core.figures.palette import FADED, STYLES
from cnn_core.figures.series import Floats, reduce_to_columns, within
from cnn_tui.charts.cells import Cells, as_text
from cnn_tui.charts.dots import Canvas
from cnn_tui.charts.figure import axes
from cnn_tui.charts.legend import Entry, cut, legend, legend_rows
from cnn_tui.charts.palette import MARKERS, MUTED, Ink, styles
from cnn_tui.charts.ticks import Tick, linear_ticks, log_ticks

# With less room the curves stand alone, without axes.
_AXES_WIDTH, _AXES_HEIGHT = 24, 6


@dataclass(frozen=True, slots=True)
class Drawing:
    """A finished chart.

    The first ``head`` rows are the legend; the canvas has ``columns`` cells from ``left`` on, over
    ``x_range``.
    """

    rows: list[list[Segment]]
    head: int = 0
    left: int = 0
    columns: int = 0
    x_range: Range | None = None


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the canvas lies and what values its edges have."""

    left: int
    columns: int
    rows: int
    x_range: Range
    y_range: Range

    def column(self, x: float) -> int:
        """Return the cell of the canvas, from the left."""
        low, high = self.x_range
        return round((x - low) / (high - low) * (self.columns - 1))

    def row(self, y: float) -> int:
        """Return the cell of the canvas, from below."""
        low, high = self.y_range
        return round((y - low) / (high - low) * (self.rows - 1))

    def dots(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return positions in dots of the canvas."""
        (left, right), (low, high) = self.x_range, self.y_range
        across, up = 2 * self.columns - 1, 4 * self.rows - 1
        with np.errstate(over="ignore"):
            y = (y - low) / (high - low) * up
        # A line that leaves the canvas needs no dot beyond the next canvas.
        return (x - left) / (right - left) * across, np.clip(y, -2 * up, 3 * up)


def draw(
    curves: Sequence[Curve], view: View, width: int, height: int, *, ink: Ink | None = None
) -> Text:
    """Return the chart as text of exactly ``width`` times ``height`` cells."""
    return as_text(compose(curves, view, width, height, ink=ink).rows)


def compose(
    curves: Sequence[Curve], view: View, width: int, height: int, *, ink: Ink | None = None
) -> Drawing:
    """Return the chart with what is needed to find the value under a cell."""
    looks = styles(ink or Ink())
    width, height = max(width, 0), max(height, 0)
    lines = [_on_axis(line, view) for curve in curves for line in lines_of(curve, view)]
    x_range = _x_range(view, lines)
    lines = [] if x_range is None else [_cut(line, x_range) for line in lines]
    y_range = _y_range(view, lines)
    if x_range is None or y_range is None or not width or not height:
        cells = Cells.blank(width, height)
        if height:
            message = "nothing in this range" if view.x_range else "no data yet"
            message = message if len(message) <= width else "…"
            cells.put((width - len(message)) // 2, (height - 1) // 2, message, MUTED)
        return Drawing(cells.segments(looks))
    with_axes = width >= _AXES_WIDTH and height >= _AXES_HEIGHT
    entries = _entries(curves)
    head = legend_rows(view.y_label, entries, width, max(height // 8, 1)) if with_axes else 0
    rows = height - head - 2 if with_axes else height  # the axis and its labels
    y_ticks = _y_ticks(view, y_range, rows) if with_axes else []
    left = 1 + max((len(label) for _, label in y_ticks), default=0) if with_axes else 0
    frame = _Frame(left, width - left, rows, x_range, y_range)
    cells = _axes(frame, view, y_ticks) if with_axes else Cells.blank(width, height)
    _canvas(frame, view, lines).lay_over(cells, left)
    if with_axes:
        _label_marks(cells, frame, view)
        cells.insert(legend(view.y_label, entries, width, head))
    return Drawing(cells.segments(looks), head, left, frame.columns, x_range)


def heading(
    name: str, curves: Sequence[Curve], width: int, rows: int, *, ink: Ink | None = None
) -> list[list[Segment]]:
    """Return the rows of a legend alone, with other labels than those drawn."""
    return legend(name, _entries(curves), width, rows).segments(styles(ink or Ink()))


def _entries(curves: Sequence[Curve]) -> list[Entry]:
    return [(curve.label, role_of(curve), curve.joined) for curve in curves]


def _on_axis(line: Line, view: View) -> Line:
    """Return a line in the units of the axis, logarithms where it is logarithmic."""
    return replace(line, y=np.log10(line.y)) if view.log_y else line


def _cut(line: Line, x_range: Range) -> Line:
    if line.joined:
        x, y = within(line.x, line.y, x_range)
    else:
        inside = (line.x >= x_range[0]) & (line.x <= x_range[1])
        x, y = line.x[inside], line.y[inside]
    return replace(line, x=x, y=y)


def _x_range(view: View, lines: Sequence[Line]) -> Range | None:
    if view.x_range is not None:
        return _opened(view.x_range, 0.5)
    if view.x_names:
        return -0.5, len(view.x_names) - 0.5
    seen = [line.x[np.isfinite(line.y)] for line in lines]
    extent = _extent(seen)
    return None if extent is None else _opened(extent, 0.5)


def _y_range(view: View, lines: Sequence[Line]) -> Range | None:
    extent = _extent([line.y[np.isfinite(line.y)] for line in lines])
    if extent is None:
        return None
    if view.y_range is not None and not (view.log_y and min(view.y_range) <= 0):
        wanted = np.clip(view.y_range, -HUGE, HUGE)
        low, high = np.log10(wanted) if view.log_y else wanted
        return _opened((float(low), float(high)), 0.0)
    low, high = _opened(extent, 0.0)
    margin = (high - low) * 0.03
    return low - margin, high + margin


def _extent(parts: Sequence[Floats]) -> Range | None:
    values = [float(value) for part in parts if len(part) for value in (part.min(), part.max())]
    return (min(values), max(values)) if values else None


def _opened(extent: Range, least: float) -> Range:
    """Return a range with a span: that of a single value is opened around it."""
    low, high = (min(max(end, -HUGE), HUGE) for end in extent)
    size = max(abs(low), abs(high))
    if high - low > max(1e-9 * size, 1e-200):
        return low, high
    room = max(0.1 * size, least)
    room = room if room > 1e-200 else 0.5
    return low - room, low + room


def _y_ticks(view: View, y_range: Range, rows: int) -> list[Tick]:
    ticks = log_ticks if view.log_y else linear_ticks
    return ticks(*y_range, max(min(rows // 2, 5 + rows // 10), 2))


def _axes(frame: _Frame, view: View, y_ticks: Sequence[Tick]) -> Cells:
    """Return the axes with as many labels of x as stand apart, and its name at the end."""
    if view.x_names:
        return _named_axes(frame, view, y_ticks)
    name = printable(view.x_label)
    end = frame.left + frame.columns - (cell_len(name) + 2 if name else 0)
    x_ticks: list[Tick] = []
    free = 0
    ticks = log_ticks if view.log_x else linear_ticks
    for value, label in ticks(*frame.x_range, max(frame.columns // 12, 3)):
        first = frame.left + frame.column(value) - len(label) // 2
        if first >= free and first + len(label) <= end:
            x_ticks.append((frame.column(value), label))
            free = first + len(label) + 2
    cells = axes(
        frame.columns,
        frame.rows,
        x_ticks or [(0, " ")],
        [(frame.row(value), label) for value, label in y_ticks],
        frame.left,
    )
    cells.put(frame.left + frame.columns - cell_len(name), frame.rows + 1, name, MUTED)
    return cells


def _named_axes(frame: _Frame, view: View, y_ticks: Sequence[Tick]) -> Cells:
    """Return the axes with the names of x, each cut to its share of the width."""
    low, high = frame.x_range
    share = (frame.columns - 1) / (high - low)
    shown = [
        (frame.column(place), cut(printable(name), max(int(share) - 1, 1)))
        for place, name in enumerate(view.x_names)
        if low <= place <= high
    ]
    heights = [(frame.row(value), label) for value, label in y_ticks]
    at = [(float(column), " ") for column, _ in shown]
    cells = axes(frame.columns, frame.rows, at or [(0, " ")], heights, frame.left)
    for column, name in shown:
        first = min(max(column - cell_len(name) // 2, 0), frame.columns - cell_len(name))
        cells.put(frame.left + first, frame.rows + 1, name, MUTED)
    return cells


def _canvas(frame: _Frame, view: View, lines: Sequence[Line]) -> Canvas:
    canvas = Canvas(frame.columns, frame.rows)
    low, high = frame.x_range
    for at, _ in view.marks:
        if low <= at <= high:
            canvas.add_rule(frame.column(at), "┊", MUTED)
    for line in sorted(lines, key=lambda line: (line.marked, line.role < FADED)):
        x, y = line.x, line.y
        if line.joined:
            x, y = reduce_to_columns(x, y, 2 * frame.columns, frame.x_range)
        x, y = frame.dots(x, y)
        if not line.joined:
            seen = np.isfinite(y)
            canvas.add_marker(x[seen], y[seen], MARKERS[line.role % STYLES], line.role)
            continue
        canvas.add_line(x, y, line.role)
        if line.marked and line.role < FADED:  # the background carries none
            chosen = _marked(x, y, line.role % STYLES, frame.columns)
            canvas.add_marker(x[chosen], y[chosen], MARKERS[line.role % STYLES], line.role)
    return canvas


def _marked(x: Floats, y: Floats, style: int, columns: int) -> NDArray[np.int64]:
    """Return which points have a marker: all where they are few, else some, at places of its own.

    ``x`` is in dots, two to a column.
    """
    finite = np.flatnonzero(np.isfinite(y))
    if len(finite) <= columns // 4:
        return finite
    apart = max(columns // 5, 8)
    wanted = np.arange((0.5 + style / STYLES) * apart % apart, columns, apart) * 2
    return np.unique(finite[np.searchsorted(x[finite], wanted).clip(max=len(finite) - 1)])


def _label_marks(cells: Cells, frame: _Frame, view: View) -> None:
    """Write the names of the marks beside their lines, where there is room."""
    low, high = frame.x_range
    for x, label in view.marks:
        if low <= x <= high:
            text = printable(label)
            line = frame.left + frame.column(x)
            for column in (line + 2, line - 1 - cell_len(text)):
                if frame.left <= column and cells.free(column, 0, cell_len(text)):
                    cells.put(column, 0, text, MUTED)
                    break

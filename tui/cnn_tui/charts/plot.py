"""Curves drawn in cells: ranges, layout, legend."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.text import Text

from cnn_core.errors import printable
from cnn_tui.charts.cells import Cells, as_text
from cnn_tui.charts.dots import Canvas
from cnn_tui.charts.figure import Axes, around
from cnn_tui.charts.palette import FADED, MARKERS, MUTED, STYLES, TEXT, Ink, styles
from cnn_tui.charts.series import Floats, ordered, reduce_to_columns, smooth, within
from cnn_tui.charts.ticks import Tick, linear_ticks, log_ticks

Range = tuple[float, float]

# Larger numbers have no span in floating point.
_HUGE = 1e300

# With less room the curves stand alone, without axes.
_AXES_WIDTH, _AXES_HEIGHT = 24, 6


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A labelled series; ``style`` is an index in the palette of 8 colours and markers."""

    label: str
    x: Floats
    y: Floats
    style: int
    faded: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """How curves are shown; ``marks`` are labelled vertical lines, such as the best epoch.

    ``smoothing`` is the weight of the moving average, in 0..1 without 1.
    """

    x_label: str = ""
    y_label: str = ""
    log_y: bool = False
    smoothing: float = 0.0
    x_range: Range | None = None
    y_range: Range | None = None
    marks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Drawing:
    """A finished chart; the canvas has ``columns`` cells from ``left`` on, over ``x_range``."""

    rows: list[list[Segment]]
    left: int = 0
    columns: int = 0
    x_range: Range | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """A curve as it is drawn, y in the units of the axis."""

    x: Floats
    y: Floats
    role: int
    marked: bool


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the canvas lies and what values its edges have."""

    left: int
    columns: int
    rows: int
    x_range: Range
    y_range: Range

    def column(self, x: float) -> float:
        """Return the cell of the canvas, as plotext counts them."""
        return (x - self.x_range[0]) / (self.x_range[1] - self.x_range[0]) * (self.columns - 1)

    def dots(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return positions in dots of the canvas."""
        (left, right), (low, high) = self.x_range, self.y_range
        across, up = 2 * self.columns - 1, 4 * self.rows - 1
        return (x - left) / (right - left) * across, (y - low) / (high - low) * up

    def row(self, y: float) -> float:
        """Return the cell of the canvas, from below."""
        return (y - self.y_range[0]) / (self.y_range[1] - self.y_range[0]) * (self.rows - 1)


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
    lines = [line for curve in curves for line in _lines(curve, view)]
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
    axes = width >= _AXES_WIDTH and height >= _AXES_HEIGHT
    rows = height - 3 if axes else height  # head, axis and tick labels
    y_ticks = _y_ticks(view, y_range, rows) if axes else []
    left = 1 + max((len(label) for _, label in y_ticks), default=0) if axes else 0
    frame = _Frame(left, width - left, rows, x_range, y_range)
    canvas = _canvas(frame, lines)
    if not axes:
        return Drawing(around(canvas, None, width, height).segments(looks), 0, width, x_range)
    cells = around(canvas, _axes(frame, view, y_ticks, width), width, height - 1)
    _label(cells, frame, view)
    cells.insert(_head(curves, view, width))
    return Drawing(cells.segments(looks), frame.left, frame.columns, x_range)


def heading(
    curves: Sequence[Curve], view: View, width: int, *, ink: Ink | None = None
) -> list[Segment]:
    """Return the first line of a chart with axes: the name of y and the legend."""
    return _head(curves, view, width).segments(styles(ink or Ink()))[0]


def _lines(curve: Curve, view: View) -> list[_Line]:
    """Return what to draw of a curve: smoothed, with the raw one faded behind."""
    count = min(len(curve.x), len(curve.y))
    x, y = ordered(_plain(curve.x[:count]), _plain(curve.y[:count]))
    style = curve.style % STYLES
    role = style + FADED if curve.faded else style
    if not view.smoothing:
        return [_Line(x, _on_axis(y, view), role, True)]
    smoothed = _Line(x, _on_axis(smooth(y, view.smoothing), view), role, True)
    raw = _Line(x, _on_axis(y, view), style + FADED, False)
    return [smoothed] if curve.faded else [raw, smoothed]


def _plain(values: Floats) -> Floats:
    values = np.asarray(values, np.float64)
    return np.where(np.abs(values) <= _HUGE, values, np.nan)


def _on_axis(y: Floats, view: View) -> Floats:
    return np.log10(y, out=np.full_like(y, np.nan), where=y > 0) if view.log_y else y


def _cut(line: _Line, x_range: Range) -> _Line:
    x, y = within(line.x, line.y, x_range)
    return replace(line, x=x, y=y)


def _x_range(view: View, lines: Sequence[_Line]) -> Range | None:
    if view.x_range is not None:
        return _opened(view.x_range, 0.5)
    seen = [line.x[np.isfinite(line.y)] for line in lines]
    extent = _extent(seen)
    return None if extent is None else _opened(extent, 0.5)


def _y_range(view: View, lines: Sequence[_Line]) -> Range | None:
    extent = _extent([line.y[np.isfinite(line.y)] for line in lines])
    if extent is None:
        return None
    if view.y_range is not None:
        low, high = _on_axis(_plain(np.array(view.y_range)), view).tolist()
        if low < high:
            return _opened((low, high), 0.0)
    low, high = _opened(extent, 0.0)
    margin = (high - low) * 0.03
    return low - margin, high + margin


def _extent(parts: Sequence[Floats]) -> Range | None:
    values = [float(value) for part in parts if len(part) for value in (part.min(), part.max())]
    return (min(values), max(values)) if values else None


def _opened(extent: Range, least: float) -> Range:
    """Return a range with a span: that of a single value is opened around it."""
    low, high = (min(max(end, -_HUGE), _HUGE) for end in extent)
    size = max(abs(low), abs(high))
    if high - low > max(1e-9 * size, 1e-200):
        return low, high
    room = max(0.1 * size, least)
    room = room if room > 1e-200 else 0.5
    return low - room, low + room


def _y_ticks(view: View, y_range: Range, rows: int) -> list[Tick]:
    ticks = log_ticks if view.log_y else linear_ticks
    return ticks(*y_range, max(rows // 4, 2))


def _axes(frame: _Frame, view: View, y_ticks: Sequence[Tick], width: int) -> Axes:
    """Return the ticks whose labels stand apart, and the marks that can be seen."""
    end = width - (cell_len(printable(view.x_label)) + 2 if view.x_label else 0)
    x_ticks, free = [], 0
    for value, label in linear_ticks(*frame.x_range, max(frame.columns // 12, 3)):
        column = frame.column(value)
        first = min(frame.left + round(column) - len(label) // 2, width - len(label))
        if first >= free and first + len(label) <= end:
            x_ticks.append((column, label))
            free = first + len(label) + 2
    low, high = frame.x_range
    return Axes(
        # A blank label keeps the row of labels where none fits.
        x_ticks or [(0.0, " ")],
        [(frame.row(value), label) for value, label in y_ticks],
        [frame.column(x) for x, _ in view.marks if low <= x <= high],
    )


def _canvas(frame: _Frame, lines: Sequence[_Line]) -> Canvas:
    canvas = Canvas(frame.columns, frame.rows)
    for line in sorted(lines, key=lambda line: (line.marked, line.role < FADED)):
        x, y = reduce_to_columns(line.x, line.y, 2 * frame.columns, frame.x_range)
        x, y = frame.dots(x, y)
        canvas.add_line(x, y, line.role)
        if line.marked:
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


def _label(cells: Cells, frame: _Frame, view: View) -> None:
    """Write the name of x below its axis, and those of the marks beside their lines."""
    width = frame.left + frame.columns
    name = printable(view.x_label)
    cells.put(width - cell_len(name), frame.rows + 1, name, MUTED)
    low, high = frame.x_range
    for x, label in view.marks:
        if low <= x <= high:
            text = printable(label)
            line = frame.left + round(frame.column(x))
            for column in (line + 2, line - 1 - cell_len(text)):
                if frame.left <= column and cells.free(column, 0, cell_len(text)):
                    cells.put(column, 0, text, MUTED)
                    break


def _head(curves: Sequence[Curve], view: View, width: int) -> Cells:
    """Return the line above: the name of y and the legend, cut to the width."""
    head = Cells.blank(width, 1)
    column = head.put(0, 0, printable(view.y_label), MUTED)
    column += 3 if column else 0
    labels = [printable(curve.label) for curve in curves]
    # A sample, a blank and the label; two blanks between them.
    room = width - column - len(labels) * 6 + 2
    longest = _fitting([cell_len(label) for label in labels], room)
    if longest < 3 <= max(map(cell_len, labels), default=0):
        longest = 3
    for curve, label in zip(curves, labels, strict=True):
        shown = label if cell_len(label) <= longest else set_cell_size(label, longest - 1) + "…"
        if column + 4 + cell_len(shown) > width:
            head.put(min(column, width - 1), 0, "…", MUTED)
            break
        style = curve.style % STYLES
        sample = f"─{MARKERS[style]}─"
        column = head.put(column, 0, sample, style + FADED if curve.faded else style)
        column = head.put(column + 1, 0, shown, MUTED if curve.faded else TEXT) + 2
    return head


def _fitting(sizes: Sequence[int], room: int) -> int:
    """Return the largest size to which labels can be cut so that all fit into the room."""
    longest = max(sizes, default=0)
    while longest and sum(min(size, longest) for size in sizes) > room:
        longest -= 1
    return longest

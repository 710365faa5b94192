"""A chart of curves: zoomed and panned, with the values under the pointer."""

from collections.abc import Sequence
from dataclasses import replace

from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.strip import Strip

from cnn_core.errors import printable
from cnn_core.figures.curves import Curve, Range, View, value_at, x_extent, x_text
from cnn_tui.charts.palette import Ink
from cnn_tui.charts.plot import Drawing, compose, heading
from cnn_tui.widgets.drawn import Drawn

_STEP = 0.7  # a step of the zoom leaves this much of the range
_SMALLEST = 1e-4  # of the whole range


class Chart(Drawn, can_focus=True):
    """Curves over a common x; wheel and drag zoom and pan, a double click shows all again."""

    DEFAULT_CSS = """
    Chart {
        width: 1fr;
        height: 1fr;
        min-height: 3;
    }
    """

    log_y: reactive[bool] = reactive(False)
    smoothing: reactive[float] = reactive(0.0)
    zoom: reactive[Range | None] = reactive[Range | None](None)
    title: reactive[str] = reactive("")

    def __init__(
        self, title: str = "", *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._curves: tuple[Curve, ...] = ()
        self._view = View()
        self._whole: Range | None = None
        self._pointer: float | None = None  # between the ends of the canvas
        self._readout: list[Strip] = []
        self._grip: tuple[int, Range] | None = None
        self.title = title

    # What is shown

    def show(
        self,
        curves: Sequence[Curve],
        *,
        x_label: str = "",
        y_label: str = "",
        marks: Sequence[tuple[float, str]] = (),
        log_x: bool = False,
        x_names: Sequence[str] = (),
        now: bool = False,
    ) -> None:
        """Show these curves: more points when the budget allows it, something else at once.

        That is told by the labels; ``now`` says so where they stay the same. ``log_x`` and
        ``x_names`` are those of ``View``.
        """
        view = View(x_label, y_label, marks=tuple(marks), log_x=log_x, x_names=tuple(x_names))
        names = [curve.label for curve in curves]
        now |= names != [curve.label for curve in self._curves]
        now |= (x_label, y_label) != (self._view.x_label, self._view.y_label)
        self._curves, self._view = tuple(curves), view
        self._whole = x_extent(curves)
        if now or self.drawing is None or self.drawing.x_range is None:
            self.draw_now()
        else:
            self.draw_later()

    def watch_title(self, title: str) -> None:
        """Put the title into the border, literally."""
        self.border_title = Content(printable(title)) if title else None

    # What the user does

    def zoom_in(self) -> None:
        """Show less, around the middle."""
        self._zoom_by(_STEP, 0.5)

    def zoom_out(self) -> None:
        """Show more, around the middle."""
        self._zoom_by(1 / _STEP, 0.5)

    def pan(self, direction: int) -> None:
        """Move what is shown by a quarter to the left (-1) or to the right (1)."""
        if self.zoom is not None:
            self._move_by(direction * 0.25 * (self.zoom[1] - self.zoom[0]), self.zoom)

    def reset_zoom(self) -> None:
        """Show everything."""
        self.zoom = None

    def _zoom_by(self, factor: float, share: float) -> None:
        """Scale the range, the value at this share of it staying where it is."""
        if self._whole is None:
            return
        low, high = self.zoom or self._whole
        whole = self._whole[1] - self._whole[0]
        size = (high - low) * factor
        if size >= whole:
            self.zoom = None
        elif size >= whole * _SMALLEST:
            low += (high - low) * share * (1 - factor)
            self._move_by(0.0, (low, low + size))

    def _move_by(self, distance: float, start: Range) -> None:
        """Show a range moved by a distance, kept inside the whole."""
        if self._whole is not None:
            low, high = self._whole
            first = min(max(start[0] + distance, low), high - (start[1] - start[0]))
            self.zoom = (first, first + start[1] - start[0])

    # The mouse

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Show less, around the pointer."""
        self._wheel(event, _STEP)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Show more, around the pointer; with everything shown, scroll the page."""
        if self.zoom is not None:
            self._wheel(event, 1 / _STEP)

    def _wheel(self, event: events.MouseEvent, factor: float) -> None:
        if (share := self._share_at(event)) is not None:
            event.stop()
            event.prevent_default()
            self._zoom_by(factor, share)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of the curves."""
        if event.button == 1 and self.zoom is not None:
            self._grip = (event.x, self.zoom)
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Pan while the button is held, else tell the values under the pointer."""
        if self._grip is not None and self.drawing is not None:
            column, start = self._grip
            moved = (event.x - column) / max(self.drawing.columns - 1, 1)
            self._move_by(-moved * (start[1] - start[0]), start)
        else:
            self._read_out(self._share_at(event))

    def on_mouse_up(self) -> None:
        """Let go."""
        if self._grip is not None:
            self._grip = None
            self.release_mouse()

    def on_leave(self) -> None:
        """Show the legend again."""
        self._read_out(None)

    def on_click(self, event: events.Click) -> None:
        """Show everything after a double click."""
        if event.chain == 2:
            self.reset_zoom()

    def _share_at(self, event: events.MouseEvent) -> float | None:
        """Return where the pointer is between the ends of the canvas, in 0..1."""
        offset = event.get_content_offset(self)
        drawing = self.drawing
        if offset is None or drawing is None or drawing.x_range is None or drawing.columns < 2:
            return None
        return min(max((offset.x - drawing.left) / (drawing.columns - 1), 0.0), 1.0)

    def _read_out(self, share: float | None) -> None:
        """Put the values nearest to the pointer into the legend: some lines, nothing drawn."""
        self._pointer = share
        readout = self._values()
        if readout != self._readout:
            height = max(len(readout), len(self._readout))
            self._readout = readout
            self.refresh(Region(0, 0, self.size.width, height))

    def _values(self) -> list[Strip]:
        """Return a legend with the values under the pointer; empty where there is none."""
        drawing = self.drawing
        if self._pointer is None or drawing is None or drawing.x_range is None or not drawing.head:
            return []
        low, high = drawing.x_range
        at = low + self._pointer * (high - low)
        read = [
            replace(curve, label=f"{curve.label} {value_at(curve, at)}") for curve in self._curves
        ]
        name = f"{self._view.x_label} {x_text(self._view, at)}".strip()
        width = drawing.left + drawing.columns
        rows = heading(name, read, width, drawing.head, ink=self.ink)
        return [Strip(row, width) for row in rows]

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Return a line of the last drawing, or of the values under the pointer above it."""
        drawn = super().render_line(y)
        if y < len(self._readout):
            return self._readout[y].apply_style(self.visual_style.rich_style)
        return drawn

    def compose_drawing(self, size: Size, ink: Ink) -> Drawing:
        """Draw the curves as one looks at them now."""
        view = replace(self._view, log_y=self.log_y, smoothing=self.smoothing, x_range=self.zoom)
        return compose(self._curves, view, *size, ink=ink)

    def on_drawn(self) -> None:
        """Take the values from the new curves."""
        self._readout = self._values()

    def _look_changed(self) -> None:
        self.draw_now()

    watch_log_y = watch_smoothing = watch_zoom = _look_changed

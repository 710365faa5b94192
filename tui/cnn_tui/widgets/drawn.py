"""A picture in cells that is drawn only when something in it changed, and not too often."""

import time

from textual.geometry import Size
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from cnn_tui.charts.palette import Ink
from cnn_tui.charts.plot import Drawing
from cnn_tui.widgets.budget import DrawBudget

_FPS = 4


class Drawn(Widget):
    """Shows what ``compose_drawing`` gives.

    New data are drawn at most ``app.chart_fps`` times a second (4 without that attribute) and so
    seldom that the pictures of an app together take 2 % of a core; what the user does is drawn at
    once. One that is not to be seen is not drawn.
    """

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.drawing: Drawing | None = None
        self._strips: list[Strip] = []
        self._drawn_for: tuple[Size, Ink] | None = None
        self._stale = True
        self._restyled = True
        self._timer: Timer | None = None
        self._drawn_at = self._cost = 0.0
        self.drawings = 0  # so far

    def compose_drawing(self, size: Size, ink: Ink) -> Drawing:
        """Return the picture, of exactly this size; to be overridden."""
        raise NotImplementedError

    def on_drawn(self) -> None:
        """Follow a drawing that was made; to be overridden."""

    def draw_now(self) -> None:
        """Draw it anew with the next line that is painted."""
        self._stale = True
        self.refresh()

    def draw_later(self) -> None:
        """Draw the new data when the rate and the budget allow it."""
        if not self._stale and self._timer is None:
            pause = 1 / float(getattr(self.app, "chart_fps", _FPS))
            self._wait(self._drawn_at + pause - time.monotonic())

    @property
    def ink(self) -> Ink:
        """The colours of the theme here."""
        _, _, background, foreground = self.colors
        return Ink(foreground.rgb, background.rgb)

    def render_line(self, y: int) -> Strip:
        """Return a line of the last drawing; draw only if that is out of date."""
        if self._stale or self._restyled or self.drawing is None or self._resized:
            self._draw_if_changed()
        base = self.visual_style.rich_style
        if y < len(self._strips):
            return self._strips[y].apply_style(base)
        return Strip.blank(self.size.width, base)

    def notify_style_update(self) -> None:
        """Look at the next line whether the colours are still the same."""
        super().notify_style_update()
        self._restyled = True

    @property
    def _resized(self) -> bool:
        return self._drawn_for is None or self._drawn_for[0] != self.size

    def _draw_if_changed(self) -> None:
        self._restyled = False
        wanted = (self.size, self.ink)
        if not self._stale and wanted == self._drawn_for:
            return
        self.drawing = self.compose_drawing(*wanted)
        self._strips = [Strip(row, self.size.width) for row in self.drawing.rows]
        self._drawn_at, self._drawn_for, self._stale = time.monotonic(), wanted, False
        self.drawings += 1
        if self._timer is not None:  # the newest data are in it
            self._timer.stop()
            self._timer = None
            DrawBudget.of(self.app).leave(self)
        self.on_drawn()

    def _wait(self, seconds: float) -> None:
        self._timer = self.set_timer(max(seconds, 0.001), self._draw_if_due)

    def _draw_if_due(self) -> None:
        self._timer = None
        now, budget = time.monotonic(), DrawBudget.of(self.app)
        if not (self.screen.is_active and self.is_on_screen):
            budget.leave(self)
            self._stale = True  # drawn when it shows
        elif budget.take(self, now, self._cost):
            started = time.thread_time()
            self.draw_now()
            self.call_after_refresh(self._weigh, started)
        else:
            self._wait(budget.pause(now))

    def _weigh(self, started: float) -> None:
        """Note what a drawing costs, with what Textual does to paint it: about as much again."""
        self._cost = time.thread_time() - started

    def on_unmount(self) -> None:
        """Let other pictures draw."""
        DrawBudget.of(self.app).leave(self)

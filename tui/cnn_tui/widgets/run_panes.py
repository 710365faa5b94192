"""The panes of a run that are lists: its classes and its log."""

from cnn_core.runs.series import RunSeries
from cnn_tui.run_feed import LOG_KEPT, RunFeed
from cnn_tui.run_text import STAMP, class_lines, log_lines
from cnn_tui.widgets.lines import Lines


class ClassesPane(Lines):
    """The accuracy of each class, the worst first."""

    def __init__(self, title: str, *, id: str) -> None:
        super().__init__(title, empty="told by each epoch with validation images", id=id)
        self._shown: object = None

    def show_run(self, feed: RunFeed) -> None:
        """Show the latest figures, if they are new."""
        width = self.scrollable_content_region.width
        shown = (feed.series.class_accuracy, width)
        if self.display and shown != self._shown:
            self._shown = shown
            self.show(class_lines(feed.series, width))


class LogPane(Lines):
    """What happened of late, the latest at the end."""

    def __init__(self, title: str, *, id: str) -> None:
        super().__init__(title, empty="nothing yet", follow=True, indent=STAMP, id=id)
        self._series: RunSeries | None = None
        self._count, self._day = 0, ""

    def show_run(self, feed: RunFeed) -> None:
        """Add what is new; begin again where the run's events were replaced."""
        if feed.series is not self._series:
            self._series, self._count, self._day = feed.series, 0, ""
            self.show([])
        if new := feed.logged - self._count:
            epochs = feed.started.epochs if feed.started else 0
            lines, self._day = log_lines(feed.log[-new:], epochs, self._day)
            self._count = feed.logged
            self.extend(lines)
            if len(self._lines) > 2 * LOG_KEPT:
                self.show(self._lines[-LOG_KEPT:])

"""The page of a run: curves, progress, classes and log, while it is trained or afterwards."""

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, cast, get_args

from textual import events, work
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.types import CSSPathType
from textual.widget import Widget
from textual.widgets import Static

from cnn_core.errors import printable
from cnn_core.runs.series import XAxis
from cnn_tui import run_text
from cnn_tui.charts.plot import Curve
from cnn_tui.panes import LAYOUTS, PANES, layout_for, shown_panes
from cnn_tui.run_card import card, ending
from cnn_tui.run_curves import best_mark, run_curves, same_curves
from cnn_tui.run_watch import RunWatch
from cnn_tui.screens.charts_page import ChartsPage
from cnn_tui.screens.live_actions import LiveActions
from cnn_tui.widgets.chart import Chart
from cnn_tui.widgets.lines import Lines
from cnn_tui.widgets.pane_tabs import PaneTabs
from cnn_tui.widgets.run_panes import ClassesPane, LogPane
from cnn_tui.widgets.title_bar import TitleBar

_POLL_S, _REST_S = 0.5, 1.0
_CLOCK_S = 1.0
_X_LABELS = {"epoch": "epoch", "step": "step", "time": "time (s)"}
_UNITS = {"loss": "nats", "accuracy": "%", "rate": ""}


class LivePage(ChartsPage, LiveActions):
    """Shows any run from its folder, whoever trains it or has trained it."""

    CSS_PATH: ClassVar[CSSPathType | None] = "live.tcss"
    HELP_TEXT = """\
This page shows one run: as it trains, here or anywhere else, or long after its end.

- **Panes** are numbered. A digit hides or shows its pane; in a small window, it goes to it.
  `z` or `enter` gives the focused pane the whole window, once more brings the others back.
- **Charts**: the faint line is the loss of single steps, strong lines are means over epochs; the
  vertical line marks the best epoch. `x` changes the axis between step, epoch and time, `L` makes
  it logarithmic, `m` smooths. `+` and `-` zoom, the arrows move along, `0` shows all again; the
  mouse wheel and dragging do the same.
- **Pause** keeps the process and its memory; **Stop** ends it with a checkpoint from which
  **Resume** goes on as if nothing had happened. **Finish** is early stopping by hand.
- **Rate** sets the base learning rate; the schedule goes on from it.
- **Files** tells where the run lies and shows the end of its log, with the traceback of a failure.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "full", "Full", id="live.enter", show=False, tooltip="As Full"),
        *(
            Binding(
                str(number),
                f"pane('{pane}')",
                title,
                id=f"live.pane.{pane}",
                show=False,
                tooltip=f"Show or hide the pane {title}",
            )
            for number, (pane, title) in enumerate(PANES.items(), start=1)
        ),
    ]

    def __init__(self, run_dir: Path) -> None:
        super().__init__()
        self.run_dir = run_dir
        self.run_watch = RunWatch(run_dir)
        self._visible = asyncio.Event()
        self._layout = "single"
        self._only: str | None = None
        self._brief = False
        self._reading = self._asked = False
        self._clock = 0.0
        self._was_live = False
        self._status = ""
        self._drawn: tuple[object, ...] = ()
        self._curves: dict[str, list[Curve]] = {}

    def compose_page(self) -> Iterable[Widget]:
        """Lay out the panes; which of them are shown depends on the size and on the user."""
        yield Static(id="header", markup=False)
        yield Static(id="card", markup=False)
        yield PaneTabs(PANES)
        with Container(id="panes"):
            with Container(id="left"):
                with Container(id="charts"):
                    yield Chart("1 Loss", id="loss", classes="pane")
                    yield Chart("2 Accuracy", id="accuracy", classes="pane")
                with Container(id="more"):
                    yield Chart("3 Learning rate", id="rate", classes="pane")
                    yield LogPane("6 Log", id="log")
            with Container(id="side"):
                yield Lines("4 Progress", empty="", id="progress")
                yield ClassesPane("5 Classes, the worst first", id="classes")
        yield Static(id="brief", markup=False)

    def on_mount(self) -> None:
        """Begin to follow the run."""
        self.query_one(TitleBar).page = f"Run {self.run_dir.name}"
        self.redraw_charts()
        self._show_card()
        self._follow()

    def on_screen_suspend(self) -> None:
        """Rest while the page is covered."""
        self._visible.clear()

    def on_screen_resume(self) -> None:
        """Go on following."""
        self._visible.set()

    def on_resize(self, event: events.Resize) -> None:
        """Take the layout that suits the size."""
        self._layout = layout_for(*event.size)
        self._arrange()

    # --- following -------------------------------------------------------------------------

    @work(exit_on_error=False)
    async def _follow(self) -> None:
        while not self.run_watch.gone:
            await self._visible.wait()
            told = self._told_by_slot()
            self._reading = True
            changed = await asyncio.to_thread(self.run_watch.poll)
            self._reading = False
            now = time.monotonic()
            due = self.run_watch.live and now - self._clock >= _CLOCK_S
            if changed or told or self._asked or due:
                self._clock, self._asked = now, False
                self._show_all()
            await asyncio.sleep(_POLL_S if self.run_watch.live else _REST_S)

    def _told_by_slot(self) -> bool:
        """Take what this process' training thread knows of the run; return whether it is new."""
        slot, watch = self.cnn_app.slot, self.run_watch
        before = watch.refused, watch.claimed
        watch.refused = slot.refused.get(self.run_dir.name)
        watch.claimed = slot.busy and slot.current == self.run_dir
        return before != (watch.refused, watch.claimed)

    def _show_all(self) -> None:
        if not self.query(Chart):
            return
        if self._reading:  # what would be shown is being changed by a thread
            self._asked = True
            return
        self._show_state()
        self._show_curves()
        if self.run_watch.feed is not None:
            self.query_one("#classes", ClassesPane).show_run(self.run_watch.feed)
            self.query_one("#log", LogPane).show_run(self.run_watch.feed)
        self._tell_end()
        status = f"{self.run_watch.status} {self.run_watch.starting} {self.run_watch.gone}"
        if status != self._status:
            self._status = status
            self.refresh_bindings()

    def _tell_end(self) -> None:
        watch, was_live = self.run_watch, self._was_live
        self._was_live = watch.live
        if was_live and not (watch.live or watch.gone or watch.refused) and watch.document:
            self.app.bell()
            self.tell(ending(watch.document))

    # --- showing ---------------------------------------------------------------------------

    def _show_state(self) -> None:
        watch, now = self.run_watch, time.time()
        document = watch.document or {}
        self.query_one(TitleBar).page = f"Run {printable(document.get('name', self.run_dir.name))}"
        notes = Content.styled(printable(str(document.get("notes", "")).replace("\n", " ")), "dim")
        lines = [run_text.header(watch), *([notes] if notes else [])]
        width = max(self.size.width - 2, 1)
        shown = Content("\n").join(line.truncate(width, ellipsis=True) for line in lines)
        _update(self.query_one("#header", Static), shown)
        self._show_card()
        progress = self.query_one("#progress", Lines)
        if progress.display:
            room = progress.scrollable_content_region.width or 40
            progress.show(run_text.progress(watch, room, now).split("\n"))
        brief = self.query_one("#brief", Static)
        brief.display = self._brief and watch.live
        if brief.display:
            _update(brief, run_text.brief_progress(watch, width))

    def _show_card(self) -> None:
        shown, widget = card(self.run_watch), self.query_one("#card", Static)
        widget.display = shown is not None
        if shown is not None:
            _update(widget, shown.text)
            widget.set_classes(f"-{shown.colour}")

    def redraw_charts(self) -> None:
        """Show the curves by the state of the app; accuracies stay linear."""
        state = self.cnn_app.state
        for chart in self.query(Chart):
            chart.smoothing = state.smoothing
            chart.log_y = state.log_y and chart.id != "accuracy"
        self._drawn = ()
        self._show_all()

    def _show_curves(self) -> None:
        """Give the charts their curves, if they have changed."""
        feed = self.run_watch.feed
        kept = self.cnn_app.state.x_axis
        x_axis = cast(XAxis, kept) if kept in get_args(XAxis) else "epoch"
        if feed is None or (drawn := (feed.series, feed.series.version, x_axis)) == self._drawn:
            return
        self._drawn, now = drawn, not self._drawn
        curves, marks = run_curves(feed.series, x_axis), best_mark(feed.series, x_axis)
        for pane, unit in _UNITS.items():
            if now or not same_curves(curves[pane], self._curves.get(pane, [])):
                self._curves[pane] = curves[pane]
                self.query_one(f"#{pane}", Chart).show(
                    curves[pane],
                    x_label=_X_LABELS[x_axis],
                    y_label=unit,
                    marks=[] if pane == "rate" else marks,
                    now=now,
                )

    # --- panes -----------------------------------------------------------------------------

    def action_pane(self, pane: str) -> None:
        """Show or hide a pane; where only one is shown, show this one."""
        if self._layout == "single" or self._only is not None:
            self._only = pane
        else:
            toggled, key = self.cnn_app.state.hidden_panes, f"{self._layout}:{pane}"
            if key in toggled:
                toggled.remove(key)
            else:
                toggled.append(key)
            if not shown_panes(self._layout, toggled, None):
                toggled.remove(key)
            self.cnn_app.save_state()
        self._arrange()

    def action_full(self) -> None:
        """Give the focused pane the whole window, or bring the others back."""
        focused = self.focused.id if self.focused is not None else None
        self._only = None if self._only else (focused if focused in PANES else "loss")
        self._arrange()

    def action_back(self) -> None:
        """Leave the single pane first, then the page."""
        if self._only is not None and self._layout != "single":
            self.action_full()
        else:
            super().action_back()

    def _arrange(self) -> None:
        if not self.query(Chart):  # the page is being closed
            return
        shown = shown_panes(self._layout, self.cnn_app.state.hidden_panes, self._only)
        single = self._layout == "single" or self._only is not None
        for layout in LAYOUTS:
            self.set_class(layout == ("single" if single else self._layout), f"-{layout}")
        for pane in PANES:
            self.query_one(f"#{pane}").display = pane in shown
        for name in ("charts", "more", "left", "side"):
            box = self.query_one(f"#{name}")
            box.display = any(pane.id in shown for pane in box.query("*"))
        tabs = self.query_one(PaneTabs)
        tabs.display, tabs.shown = single, shown[0]
        self._brief = single and shown != ["progress"]
        if single:
            self.query_one(f"#{shown[0]}").focus()
        self.call_after_refresh(self._show_all)


def _update(widget: Static, content: Content) -> None:
    """Change what the widget shows, if it is something else."""
    if not (isinstance(widget.content, Content) and widget.content.is_same(content)):
        widget.update(content)

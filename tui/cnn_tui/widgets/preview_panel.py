"""The previews beside the form: computed in a thread once the user pauses, the latest wins."""

import asyncio
import gc
from collections.abc import Callable
from typing import TypeVar

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widgets import DataTable, Tab, Tabs

from cnn_tui.form import Draft
from cnn_tui.output import sentence
from cnn_tui.previews import Previews
from cnn_tui.widgets.preview_panes import NetworkPane, Pane, SamplesPane, SchedulePane, SplitPane
from cnn_tui.workers import run_beside
from cnn_tui.workplace import Workplace

T = TypeVar("T")

_PAUSE_S = 0.25


class PreviewPanel(Vertical):
    """Four panes, one at a time behind tabs or all at once; only what can be seen is computed."""

    def __init__(self, workplace: Workplace) -> None:
        super().__init__(id="right")
        self._previews = Previews(workplace)
        self._split, self._network = SplitPane(), NetworkPane()
        self._schedule, self._samples = SchedulePane(), SamplesPane()
        self._panes: list[Pane] = [self._split, self._network, self._schedule, self._samples]
        self._shown: dict[Pane, object] = {}
        self._draft: Draft | None = None
        self._drawing = 0
        self._due = asyncio.Event()

    def compose(self) -> ComposeResult:
        """Show tabs above the panes."""
        yield Tabs(*(Tab(str(pane.border_title), id=f"tab-{pane.id}") for pane in self._panes))
        with Container(id="panes"):
            yield from self._panes

    def on_mount(self) -> None:
        """Begin to follow the draft."""
        run_beside(self, self._follow, group="previews", exit_on_error=True)

    def show(self, draft: Draft) -> None:
        """Preview this draft soon; what is under way for an older one is not shown any more."""
        self._draft = draft
        self._due.set()

    def look_again(self) -> None:
        """Compute what can be seen now and could not before."""
        if self._draft is not None:
            self._due.set()

    def draw_others(self) -> None:
        """Show other samples."""
        self._drawing += 1
        self.look_again()

    def take_focus(self) -> None:
        """Focus the tabs, or the first pane where all show."""
        tabs = self.query_one(Tabs)
        (tabs if tabs.display else self.query_one(DataTable)).focus()

    def next_tab(self) -> None:
        """Show the next pane."""
        self.query_one(Tabs).action_next_tab()

    def on_tabs_tab_activated(self, event: Tabs.TabActivated) -> None:
        """Show the pane of the tab."""
        for pane in self._panes:
            pane.set_class(event.tab.id == f"tab-{pane.id}", "-current")
        self.look_again()

    def on_resize(self) -> None:
        """See to panes that come into sight."""
        self.look_again()

    async def _follow(self) -> None:
        fresh = True
        while True:
            await self._due.wait()
            self._due.clear()
            await asyncio.sleep(_PAUSE_S)
            if not self._due.is_set():
                await self._refresh()
                if fresh:  # what the first previews imported, as ``CnnTuiApp.load_torch`` does
                    gc.freeze()
                    fresh = False

    async def _refresh(self) -> None:
        draft, drawing, previews = self._draft, self._drawing, self._previews
        if draft is None or not self.display:
            return
        await self._bring(self._split, lambda: previews.split(draft), self._split.show)
        await self._bring(self._network, lambda: previews.network(draft), self._network.show)
        await self._bring(self._schedule, lambda: previews.schedule(draft), self._schedule.show)
        await self._bring(
            self._samples, lambda: previews.samples(draft, drawing), self._samples.show
        )

    async def _bring(self, pane: Pane, make: Callable[[], T], show: Callable[[T], None]) -> None:
        """Make a preview in a thread and show it, unless it is out of sight or out of date."""
        if self._due.is_set() or not pane.display:
            return
        try:
            made = await asyncio.to_thread(make)
        except Exception as error:  # noqa: BLE001  (whatever it is, it is told in its place)
            if not self._due.is_set():
                self._shown[pane] = None
                pane.fail(sentence(error))
            return
        if not self._due.is_set() and self._shown.get(pane) is not made:
            self._shown[pane] = made
            show(made)

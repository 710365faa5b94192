"""The page that looks into a trained run: how well it does, where it fails, what it has learnt."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Static

from cnn_core.errors import printable
from cnn_core.progress import Progress, Remark
from cnn_tui.asking import AbandonedError, Asker
from cnn_tui.inspect_text import progress_text, where_text
from cnn_tui.inspection import Inspection
from cnn_tui.inspection_parts import CHECKPOINTS, PARTS
from cnn_tui.output import literal, sentence
from cnn_tui.screens.page import Page
from cnn_tui.widgets.inspect_panes import ConfusionPane, InspectPane, ScoresPane
from cnn_tui.widgets.layer_panes import FiltersPane, MapsPane
from cnn_tui.widgets.mistakes_pane import MistakesPane
from cnn_tui.widgets.pane_tabs import PaneTabs
from cnn_tui.widgets.part_samples import PartSamplesPane
from cnn_tui.widgets.title_bar import TitleBar
from cnn_tui.workers import run_beside

_PANES = {
    "classes": "Classes",
    "confusion": "Confusion",
    "mistakes": "Mistakes",
    "filters": "Filters",
    "maps": "Feature maps",
    "samples": "Samples",
}


class InspectPage(Page):
    """Six panes, one at a time; what is shown is worked out in a thread, and kept."""

    CSS_PATH = "inspect.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (116, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (28, "-tall")]  # noqa: RUF012
    HELP_TEXT = """\
This page asks the network of a run again. `s` chooses the split, `c` the checkpoint; what the run
has not kept yet is computed, which leaving the page ends.

- **Classes**: `o` or a click on a header sorts; `enter` shows what a class is mostly taken for.
  Balanced accuracy is the mean recall. ECE is the expected calibration error.
- **Confusion**: true classes in rows, predicted ones in columns. The colour is the share of the
  row, what is told right is underlined. `n` goes from the largest confusion to the next ones, `d`
  to the diagonal, `enter` shows the images of a cell.
- **Mistakes**: `m` changes between the most confident mistakes and the least certain images,
  `enter` shows one large, with its five most probable classes and (Grad-CAM, `g` in a small window)
  where in the image they come from.
- **Filters** of a convolution before and after training, and the **feature maps** of the image
  that was chosen among the mistakes: `n` and `p` change the layer, `pagedown` shows more.
- **Samples**: images as they are stored and as training augments them; `f5` draws others.
"""
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                str(number),
                f"pane('{pane}')",
                title,
                id=f"inspect.{pane}",
                show=False,
                tooltip=f"Show {title.lower()}",
            )
            for number, (pane, title) in enumerate(_PANES.items(), start=1)
        ),
        Binding("s", "split", "Split", id="inspect.split", tooltip="Look at the other split"),
        Binding("c", "checkpoint", "Checkpoint", id="inspect.checkpoint",
                tooltip="Look at the best or the last checkpoint"),
        Binding("f5", "resample", "Others", id="inspect.resample", tooltip="Draw other samples"),
    ]  # fmt: skip

    def __init__(self, run_dir: Path) -> None:
        super().__init__()
        self.run_dir = run_dir
        self._due = asyncio.Event()
        self._current = "classes"

    def compose_page(self) -> Iterable[Widget]:
        """Put the panes below their names."""
        yield PaneTabs(_PANES)
        yield Static(id="where")
        with Container(id="inspect-panes"):
            yield ScoresPane()
            yield ConfusionPane()
            yield MistakesPane()
            yield FiltersPane()
            yield MapsPane()
            yield PartSamplesPane()

    def on_mount(self) -> None:
        """Begin with the classes."""
        self.query_one(TitleBar).page = f"Inspect {printable(self.run_dir.name)}"
        self._asker = Asker(self._show_progress, self._show_remark)
        self.inspection = Inspection(self.run_dir, self.cnn_app.workplace, self._asker)
        self.action_pane("classes")
        run_beside(self, self._follow, group="inspect")

    @property
    def pane(self) -> InspectPane:
        """The pane that is shown."""
        return self.query_one(f"#{self._current}", InspectPane)

    # --- bringing ------------------------------------------------------------------------------

    @on(InspectPane.Stale)
    def _stale(self) -> None:
        self._due.set()

    async def _follow(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            pane = self.pane
            self._show_where()
            try:
                await pane.bring(self.inspection)
            except AbandonedError:  # for something else, which is due
                continue
            except Exception as error:  # noqa: BLE001  (whatever it is, it is told in its place)
                pane.fail(sentence(error))
            self._show_where()

    def _change(self) -> None:
        """Bring what is wanted now, and not what was wanted before."""
        self._asker.abandon()
        self._due.set()

    def _show_where(self) -> None:
        asked, pane = self.inspection, self.pane
        text = where_text(asked.part, asked.checkpoint, asked.known)
        if isinstance(pane, PartSamplesPane):
            text = f"{pane.part} split"
        self.query_one("#where", Static).update(text)

    def _show_progress(self, progress: Progress | None) -> None:
        if progress is None:
            self._show_where()
        else:
            text = literal(progress_text(progress, self.size.width))
            self.query_one("#where", Static).update(text)

    def _show_remark(self, remark: Remark) -> None:
        self.app.notify(
            printable(remark.text),
            severity="warning" if remark.warning else "information",
            markup=False,
        )

    # --- what one can do -----------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what the pane has."""
        if action == "resample":
            return self._current == "samples"
        if action == "checkpoint":
            return self._current != "samples"
        if action == "split":
            return self._current != "filters"
        return super().check_action(action, parameters)

    def action_pane(self, pane: str) -> None:
        """Show a pane."""
        self._current = pane
        self.query_one(PaneTabs).shown = pane
        for one in self.query(InspectPane):
            one.set_class(one.id == pane, "-current")
        self._asker.abandon(*self.pane.NEEDS)
        self.pane.target().focus()
        self._due.set()
        self.refresh_bindings()

    def action_split(self) -> None:
        """Look at the next split."""
        if isinstance(self.pane, PartSamplesPane):
            self.pane.next_part()
            return
        asked = self.inspection
        asked.part = PARTS[(PARTS.index(asked.part) + 1) % len(PARTS)]
        asked.image = None
        self._change()

    def action_checkpoint(self) -> None:
        """Look at the other checkpoint."""
        asked = self.inspection
        at = CHECKPOINTS.index(asked.checkpoint) + 1
        asked.checkpoint = CHECKPOINTS[at % len(CHECKPOINTS)]
        self._asker.forget("trained")  # one network in memory is enough
        self._change()

    def action_resample(self) -> None:
        """Show other samples."""
        self.query_one(PartSamplesPane).draw_others()

    def action_back(self) -> None:
        """Leave what is shown large, then the images of a cell, then the page."""
        mistakes = self.query_one(MistakesPane)
        if self.pane.leave():
            return
        if self.pane is mistakes and mistakes.pair is not None:
            mistakes.show_pair(None)
            self.action_pane("confusion")
            return
        self._asker.abandon()
        super().action_back()

    @on(InspectPane.PairWanted)
    def _pair_wanted(self, event: InspectPane.PairWanted) -> None:
        if event.images:
            self.action_pane("mistakes")
            self.query_one(MistakesPane).show_pair(event.pair)
        else:
            self.action_pane("confusion")
            self.query_one(ConfusionPane).go(event.pair)

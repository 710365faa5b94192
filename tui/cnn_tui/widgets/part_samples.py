"""The pane of images as they are stored and as they are augmented for training."""

from rich.text import Text
from textual.containers import VerticalScroll
from textual.widget import Widget

from cnn_tui.inspection import Inspection
from cnn_tui.inspection_parts import SAMPLED, Part
from cnn_tui.widgets.inspect_panes import InspectPane
from cnn_tui.widgets.preview_panes import SamplesPane


class PartSamplesPane(InspectPane, SamplesPane):
    """Samples of any part, the training images first."""

    NEEDS = ("index", "samples")

    def __init__(self) -> None:
        super().__init__()
        self.part: Part = SAMPLED[0]
        self._drawing = 0

    def target(self) -> Widget:
        """Return what scrolls."""
        return self.query_one(VerticalScroll)

    def next_part(self) -> None:
        """Show images of another part."""
        self.part = SAMPLED[(SAMPLED.index(self.part) + 1) % len(SAMPLED)]
        self.post_message(self.Stale())

    def draw_others(self) -> None:
        """Show other images, augmented otherwise."""
        self._drawing += 1
        self.post_message(self.Stale())

    async def bring(self, inspection: Inspection) -> None:
        """Show the samples."""
        self.show(await inspection.samples(self.part, self._drawing))
        self._tell(Text("each as it is stored, then as training would augment it", "dim"))

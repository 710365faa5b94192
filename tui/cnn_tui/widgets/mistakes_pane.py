"""The pane of pictures: mistakes, the least certain images, those of a cell; one of them large."""

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from cnn_tui.asking import AbandonedError
from cnn_tui.inspect_text import caption, top_text
from cnn_tui.inspection import Inspection
from cnn_tui.inspection_parts import Judged, Order, Pair
from cnn_tui.output import literal, sentence
from cnn_tui.widgets.inspect_panes import InspectPane
from cnn_tui.widgets.picture import Picture
from cnn_tui.widgets.picture_grid import PictureGrid

_WORDS: dict[Order, str] = {
    "mistakes": "mistakes, the most confident first",
    "uncertain": "images, the least certain first",
}


class _One(Horizontal, can_focus=True):
    """A picture large, what the network sees in it, and what it says."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up,h,k", "step(-1)", "Before", show=False, id="picture.before",
                tooltip="Show the picture before"),
        Binding("right,down,l,j,space", "step(1)", "Next", id="picture.next",
                tooltip="Show the next picture"),
        Binding("g", "attention", "Grad-CAM", id="picture.attention",
                tooltip="Show where it speaks for the predicted class, or the image as it is"),
        Binding("enter", "screen.back", "Back to all", show=False, id="picture.back"),
    ]  # fmt: skip

    def compose(self) -> ComposeResult:
        """Put the pictures beside the words."""
        yield Picture(id="one-image")
        yield Picture(id="one-attention")
        yield Static(id="one-words")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to change the pictures where they are not beside each other."""
        if action == "attention":
            return self.screen.has_class("-narrow")
        return super().check_action(action, parameters)

    def action_step(self, step: int) -> None:
        """Show another picture."""
        self.query_ancestor(MistakesPane).step(step)

    def action_attention(self) -> None:
        """Show the image in the place of what was seen in it, or the other way round."""
        self.toggle_class("-attention")


class MistakesPane(InspectPane):
    """Pictures with what they are and what they are taken for."""

    NEEDS = ("judged", "order", "images", "pictures", "chosen", "trained", "attention")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "kind('uncertain')", "Uncertain", id="mistakes.uncertain",
                tooltip="Show the images that the network is least certain of"),
        Binding("m", "kind('mistakes')", "Mistakes", id="mistakes.mistakes",
                tooltip="Show the most confident mistakes"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__("Mistakes", "mistakes")
        self._kind: Order = "mistakes"
        self._pair: Pair | None = None
        self._order: list[int] | None = None
        self._large = False

    def compose_content(self) -> ComposeResult:
        """Show many pictures, or one."""
        yield PictureGrid()
        yield _One(id="one")

    def target(self) -> Widget:
        """Return the pictures, or the one."""
        return self.query_one(_One if self._large else PictureGrid)

    @property
    def pair(self) -> Pair | None:
        """The cell whose images are shown, None for those of all."""
        return self._pair

    def show_pair(self, pair: Pair | None) -> None:
        """Show the images of one cell, or of all."""
        self._pair = pair
        self._enlarge(large=False)
        self.refresh_bindings()

    def leave(self) -> bool:
        """Return from the large picture to all, and then from a cell's images."""
        if not self._large:
            return False
        self._enlarge(large=False)
        return True

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what is not shown."""
        if action == "kind":
            shown = "pair" if self._pair is not None else self._kind
            # From a cell's images one comes to the mistakes.
            return parameters[0] == ("uncertain" if shown == "mistakes" else "mistakes")
        return super().check_action(action, parameters)

    def action_kind(self, kind: Order) -> None:
        """Show mistakes or the least certain images, of all classes."""
        self._kind, self._pair = kind, None
        self._enlarge(large=False)
        self.refresh_bindings()

    def step(self, step: int) -> None:
        """Show the next picture large."""
        self.query_one(PictureGrid).action_move(step)
        self.post_message(self.Stale())

    async def bring(self, inspection: Inspection) -> None:
        """Show the pictures in sight."""
        judged = await inspection.judged()
        order = await inspection.order(self._kind, self._pair)
        grid = self.query_one(PictureGrid)
        if order is not self._order:
            self._order = order
            grid.show(len(order))
        self._tell(self._words(judged, grid))
        if not order:
            grid.fill([], [])
        elif self._large:
            await self._bring_one(inspection, judged, order[grid.cursor])
        else:
            shown = [order[place] for place in grid.in_sight]
            pictures = await inspection.pictures([judged.predictions.names[i] for i in shown])
            grid.fill(pictures, [caption(judged, i, grid.caption_width) for i in shown])
            inspection.image = judged.predictions.names[order[grid.cursor]]

    async def _bring_one(self, inspection: Inspection, judged: Judged, image: int) -> None:
        name = judged.predictions.names[image]
        words = self.query_one("#one-words", Static)
        seen = self.query_one("#one-attention", Picture)
        inspection.image = name
        words.update(top_text(judged, image, words.size.width or 30))
        _, image_HWC = await inspection.chosen()
        self.query_one("#one-image", Picture).show(image_HWC)
        predicted = int(judged.predicted[image])
        try:
            seen.show(await inspection.attention(predicted))
        except AbandonedError:
            raise
        except Exception as error:  # noqa: BLE001  (the rest can be seen all the same)
            seen.show(None)
            text = top_text(judged, image, words.size.width)
            words.update(text.append(f"\n\nno Grad-CAM: {sentence(error)}"))

    def _words(self, judged: Judged, grid: PictureGrid) -> Text:
        if self._pair is None:
            text = Text.assemble((f"{grid.total:,} ", "bold"), _WORDS[self._kind])
        else:
            true, predicted = (literal(judged.predictions.classes[at]).plain for at in self._pair)
            verb = "told right" if true == predicted else f"taken for {predicted}"
            text = Text.assemble((f"{grid.total:,} ", "bold"), f"of {true} {verb}; esc goes back")
        if grid.total:
            sight = grid.in_sight
            place = f"{grid.cursor + 1:,}" if self._large else f"{sight.start + 1:,}–{sight.stop:,}"
            text.append(f"  ({place})", "dim")
        return text

    def _enlarge(self, *, large: bool) -> None:
        self._large = large
        self.set_class(large, "-large")
        self.target().focus()
        self.post_message(self.Stale())

    @on(PictureGrid.Wanted)
    def _wanted(self) -> None:
        self.post_message(self.Stale())

    @on(PictureGrid.Opened)
    def _opened(self) -> None:
        self._enlarge(large=True)

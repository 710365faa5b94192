"""Panes about layers: filters before and after training, feature maps of an image."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from cnn_core.errors import CnnTuiError
from cnn_tui.inspection import Inspection
from cnn_tui.inspection_parts import LayerPictures
from cnn_tui.output import literal, sentence
from cnn_tui.widgets.inspect_panes import InspectPane
from cnn_tui.widgets.mosaic_view import Mosaic
from cnn_tui.widgets.picture import Picture


class LayerPane(InspectPane, can_focus=True):
    """Many small pictures of one layer at a time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n,right,down", "layer(1)", "Next", id="layers.next",
                tooltip="Show the next convolution"),
        Binding("p,left,up", "layer(-1)", "Previous", id="layers.before",
                tooltip="Show the convolution before"),
        Binding("pagedown,space", "more(1)", "More", id="layers.page_down",
                tooltip="Show the next pictures of the layer"),
        Binding("pageup", "more(-1)", "Back", show=False, id="layers.page_up",
                tooltip="Show the pictures before"),
    ]  # fmt: skip

    def __init__(self, title: str, pane_id: str) -> None:
        super().__init__(title, pane_id)
        self._layer: str | None = None
        self._layers: tuple[str, ...] = ()
        self._shown: str | None = None

    def action_layer(self, step: int) -> None:
        """Show another convolution."""
        if self._layers:
            at = self._layers.index(self._layer) if self._layer in self._layers else 0
            self._layer = self._layers[(at + step) % len(self._layers)]
            self.post_message(self.Stale())

    def action_more(self, step: int) -> None:
        """Show further pictures of the layer."""
        for one in self.query(Mosaic):
            one.page(step)

    def _take(self, found: LayerPictures) -> bool:
        """Take the layer for the one that is shown; return whether it is another one."""
        self._layer, self._layers = found.layer, found.layers
        before, self._shown = self._shown, found.layer
        return before != found.layer

    def _place(self, found: LayerPictures) -> Text:
        place = f"  {found.layers.index(found.layer) + 1} of {len(found.layers)}   "
        return Text.assemble((literal(found.layer).plain, "bold"), (place, "dim"))


class FiltersPane(LayerPane):
    """The filters of a convolution, as they were drawn and as they were learnt."""

    NEEDS = ("filters",)

    def __init__(self) -> None:
        super().__init__("Filters", "filters")

    def compose_content(self) -> ComposeResult:
        """Put before beside after."""
        with Horizontal(classes="pictures"):
            yield Mosaic(id="filters-before")
            yield Mosaic(id="filters-after")

    async def bring(self, inspection: Inspection) -> None:
        """Show the layer, before training as well where that was kept."""
        found = await inspection.filters(self._layer, before=False)
        anew = self._take(found)
        before, why = None, ""
        try:
            before = await inspection.filters(found.layer, before=True)
        except CnnTuiError as error:
            why = sentence(error)
        left, right = (self.query_one(f"#filters-{when}", Mosaic) for when in ("before", "after"))
        left.display = before is not None
        if before is not None:
            left.show_all(before.pictures, "before training", anew=anew)
        right.show_all(found.pictures, f"after training ({inspection.checkpoint})", anew=anew)
        count, channels, tall, wide = found.shape
        colours = "in colour" if channels == 3 else f"mean of {channels} channels"
        text = self._place(found).append(f"{count} filters of {tall}x{wide}, {colours}; grey is 0")
        self._tell(text.append(f"\n{why}" if why else "", "dim"))


class MapsPane(LayerPane):
    """What the convolutions make of an image."""

    NEEDS = ("images", "chosen", "trained", "maps")

    def __init__(self) -> None:
        super().__init__("Feature maps", "maps")

    def compose_content(self) -> ComposeResult:
        """Put the image beside its maps."""
        with Horizontal(classes="pictures"):
            yield Picture(id="maps-image")
            yield Mosaic(id="maps-all")

    async def bring(self, inspection: Inspection) -> None:
        """Show the maps of the chosen image in a layer."""
        name, image_HWC = await inspection.chosen()
        self.query_one("#maps-image", Picture).show(image_HWC, name)
        found = await inspection.maps(self._layer)
        anew = self._take(found)
        self.query_one("#maps-all", Mosaic).show_all(found.pictures, "", anew=anew)
        count, tall, wide = found.shape
        self._tell(self._place(found).append(f"{count} maps of {tall}x{wide}, bright is high"))

"""What the first layer has learnt: its filters before and after the training."""

from cnn_core.inspect.filters import Filters, filter_pictures
from cnn_core.inspect.sheet import Tile as SheetTile
from cnn_core.inspect.sheet import sheet
from cnn_core.report.blocks import Block, Gallery, Tile, Words
from cnn_core.report.details import missing
from cnn_core.report.material import Absent, Material

_MOST = 256
_FEW = 64
_WIDTH = 448  # of a row of filters, in pixels


def filter_blocks(one: Material) -> list[Block]:
    """Return the filters of the first convolution as pictures, as they were and as they are."""
    blocks: list[Block] = []
    tiles = []
    for when, found in (
        ("before the training", one.filters_before),
        ("after it, best weights", one.filters_after),
    ):
        if isinstance(found, Absent):
            blocks.append(missing(f"The filters {when} can't be shown", found))
        else:
            tiles.append(_tile(found, when))
            known = found
    if not tiles:
        return blocks
    count, channels, height, width = known.weights_OIHW.shape
    shown = f"the first {_MOST} of {count}" if count > _MOST else f"{count}"
    colour = "in colour" if channels == 3 else f"the mean of {channels} input channels"
    words = f"Layer {known.layer}: {shown} filters of {height} × {width}, {colour}; grey is 0, "
    words += "each time on a scale of its own."
    return [Words(words), *blocks, Gallery("filters", tuple(tiles), wide=True)]


def _tile(filters: Filters, when: str) -> Tile:
    pictures = filter_pictures(filters.weights_OIHW)[:_MOST]
    columns = 8 if len(pictures) <= _FEW else 16
    whole = sheet([SheetTile(one) for one in pictures], columns=columns, side=_WIDTH // columns)
    return Tile(whole, f"filters of {filters.layer} {when}", (when,))

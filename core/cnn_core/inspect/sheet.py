"""Many small pictures with captions as one, in a file."""

import dataclasses
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cnn_core.datasets.index import Images
from cnn_core.errors import UserError, printable
from cnn_core.files import write_atomically

_GAP = 6
_TEXT = 13
_LINE = 17
_INK, _PAPER = (30, 30, 30), (255, 255, 255)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A picture, uint8 (height, width, 3), with lines of text below it."""

    picture_HWC: Images
    lines: tuple[str, ...] = ()


def sheet(tiles: Sequence[Tile], *, columns: int, side: int, title: str = "") -> Images:
    """Return the tiles in rows of ``columns``, uint8 (height, width, 3).

    Each picture is scaled so that its longer side has ``side`` pixels: small ones with sharp
    edges, so that every pixel of theirs can be told. Text that is too long ends in an ellipsis.
    """
    columns = max(min(columns, len(tiles)), 1)
    rows = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    heights = [
        max(_shape(tile, side)[0] + _LINE * len(tile.lines) for tile in row) + _GAP for row in rows
    ]
    top = _LINE + _GAP if title else 0
    width = columns * (side + _GAP) + _GAP
    whole = Image.new("RGB", (width, top + sum(heights) + _GAP), _PAPER)
    draw = ImageDraw.Draw(whole)
    if title:
        draw.text((_GAP, _GAP), _shortened(title, width - 2 * _GAP), _INK, _font())
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            left, upper = _GAP + column * (side + _GAP), top + _GAP
            tall, wide = _shape(tile, side)
            whole.paste(_scaled(tile.picture_HWC, (wide, tall)), (left, upper))
            for number, line in enumerate(tile.lines):
                at = (left, upper + tall + number * _LINE + 1)
                draw.text(at, _shortened(line, side), _INK, _font())
        top += height
    pixels_HWC: Images = np.asarray(whole)
    return pixels_HWC


def stacked(pictures: Sequence[Images]) -> Images:
    """Return pictures, uint8 (height, width, 3), one below the other, as wide as the widest."""
    width = max(picture_HWC.shape[1] for picture_HWC in pictures)
    whole = Image.new("RGB", (width, sum(map(len, pictures))), _PAPER)
    top = 0
    for picture_HWC in pictures:
        whole.paste(Image.fromarray(picture_HWC), (0, top))
        top += len(picture_HWC)
    pixels_HWC: Images = np.asarray(whole)
    return pixels_HWC


def check_picture_path(path: Path) -> None:
    """Raise UserError where the path is no PNG in a folder that exists, before any is made."""
    if path.suffix.lower() != ".png":
        raise UserError(f"{printable(path)}: expected a name that ends in .png")
    if not path.parent.is_dir():
        raise UserError(f"{printable(path)}: there is no folder {printable(path.parent)}")


def save_picture(path: Path, picture_HWC: Images) -> None:
    """Write a PNG, whole or not at all; UserError for another suffix or where it can't be."""
    check_picture_path(path)
    try:
        write_atomically(path, lambda file: Image.fromarray(picture_HWC).save(file, format="png"))
    except OSError as error:
        raise UserError(f"{printable(path)}: can't be written: {error.strerror}") from error


def _shape(tile: Tile, side: int) -> tuple[int, int]:
    """Return (height, width) in pixels of the picture as it is shown."""
    height, width = tile.picture_HWC.shape[:2]
    scale = side / max(height, width)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def _scaled(picture_HWC: Images, size: tuple[int, int]) -> Image.Image:
    picture = Image.fromarray(picture_HWC)
    larger = size[0] >= picture.width
    return picture.resize(size, Image.Resampling.NEAREST if larger else Image.Resampling.BOX)


def _shortened(text: str, width: int) -> str:
    """Return printable text of at most ``width`` pixels."""
    shown, font = printable(text), _font()
    if font.getlength(shown) <= width:
        return shown
    while shown and font.getlength(shown + "…") > width:
        shown = shown[:-1]
    return shown + "…"


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which has most of the world's letters and comes with matplotlib."""
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), _TEXT)

"""Pictures in cells: two pixels in one, as the colours of a half block and its background."""

from PIL import Image
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

_SHADES = " ░▒▓█"


def fitted(size: tuple[int, int], columns: int, rows: int) -> tuple[int, int]:
    """Return the columns and rows that a picture of ``size`` pixels fills, its aspect kept."""
    width, height = max(size[0], 1), max(size[1], 1)
    scale = min(columns / width, 2 * rows / height)
    return max(round(width * scale), 1), max(round(height * scale / 2), 1)


def half_blocks(image: Image.Image, columns: int, rows: int, *, colour: bool) -> list[Strip]:
    """Return a picture of exactly so many cells; without colour in five shades."""
    upwards = columns > image.width
    resample = Image.Resampling.NEAREST if upwards else Image.Resampling.LANCZOS
    if not colour:
        shades = image.convert("L").resize((columns, rows), resample).tobytes()
        lines = [
            "".join(_SHADES[shade * len(_SHADES) // 256] for shade in shades[start:][:columns])
            for start in range(0, rows * columns, columns)
        ]
        return [Strip([Segment(line)], columns) for line in lines]
    pixels = image.convert("RGB").resize((columns, 2 * rows), resample).load()
    assert pixels is not None
    return [
        Strip(
            [
                Segment("▀", Style(color=_colour(pixels[x, y]), bgcolor=_colour(pixels[x, y + 1])))
                for x in range(columns)
            ],
            columns,
        )
        for y in range(0, 2 * rows, 2)
    ]


def _colour(pixel: object) -> Color:
    assert isinstance(pixel, tuple)
    return Color.from_rgb(*pixel)


class HalfBlocks(Widget):
    """Shows the Pillow image in its attribute ``image``."""

    DEFAULT_CSS = "HalfBlocks { width: auto; height: auto; }"

    def __init__(self) -> None:
        super().__init__()
        self._image: Image.Image | None = None
        self._strips: list[Strip] | None = None

    @property
    def image(self) -> Image.Image | None:
        """Return what is shown."""
        return self._image

    @image.setter
    def image(self, image: Image.Image | None) -> None:
        self._image, self._strips = image, None
        self.refresh()

    def on_resize(self) -> None:
        """Draw in the new size."""
        self._strips = None

    def render_line(self, y: int) -> Strip:
        """Return a line of the picture."""
        if self._strips is None:
            self._strips = self._drawn()
        base = self.visual_style.rich_style
        if y < len(self._strips):
            return self._strips[y].apply_style(base)
        return Strip.blank(self.size.width, base)

    def _drawn(self) -> list[Strip]:
        if self._image is None or not self.size:
            return []
        colour = not self.app.no_color and self.app.console.color_system is not None
        return half_blocks(self._image, *self.size, colour=colour)

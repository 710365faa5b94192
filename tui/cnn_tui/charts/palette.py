"""Colours and markers of cells: curves are told apart without any colour."""

from dataclasses import dataclass
from functools import lru_cache

from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.style import Style

from cnn_core.figures.palette import ON_DARK, ON_LIGHT, STYLES, Rgb, xterm_rgb

MARKERS = "●▲■◆○△□◇" + "▲■◆○△□◇●"

# The role of a cell: a curve (its style), a faded curve (its style + FADED), or one of these.
MUTED, GRID, TEXT = 2 * STYLES, 2 * STYLES + 1, 2 * STYLES + 2

_FADED_ON_DARK = (24, 94, 29, 96, 88, 25, 100, None)
_FADED_ON_LIGHT = (110, 180, 115, 182, 216, 116, 186, None)


@dataclass(frozen=True, slots=True)
class Ink:
    """The colours of the theme that a chart is drawn with."""

    foreground: Rgb = (224, 224, 224)
    background: Rgb = (18, 18, 18)

    @property
    def dark(self) -> bool:
        """Return whether the background is dark."""
        red, green, blue = self.background
        return 0.299 * red + 0.587 * green + 0.114 * blue < 128


@lru_cache(maxsize=16)
def styles(ink: Ink) -> tuple[Style, ...]:
    """Return the style of each role, in colours that 256-colour terminals have."""
    strong, faded = (ON_DARK, _FADED_ON_DARK) if ink.dark else (ON_LIGHT, _FADED_ON_LIGHT)
    numbers = (*strong, *strong, *faded, *faded)
    inks = iter((1.0, 1.0, 0.42, 0.42))
    colours = [_mixed(ink, next(inks)) if n is None else xterm_rgb(n) for n in numbers]
    colours += [_mixed(ink, share) for share in (0.5, 0.16, 0.9)]
    return tuple(Style(color=Color.from_triplet(ColorTriplet(*colour))) for colour in colours)


def _mixed(ink: Ink, share: float) -> Rgb:
    """Return the ink, thinned by the background."""
    pairs = zip(ink.foreground, ink.background, strict=True)
    red, green, blue = (round(a * share + b * (1 - share)) for a, b in pairs)
    return _nearest((red, green, blue))


def _nearest(colour: Rgb) -> Rgb:
    """Return the nearest of the 240 fixed colours of xterm."""

    def distance(number: int) -> int:
        red, green, blue = (a - b for a, b in zip(colour, xterm_rgb(number), strict=True))
        return 2 * red * red + 4 * green * green + 3 * blue * blue

    return xterm_rgb(min(range(16, 256), key=distance))

"""Colours of curves: told apart by the colour-blind."""

COLOURS = 8
# The second half has the colours of the first, with the marker of the next one.
STYLES = 2 * COLOURS
# The role of a faded curve is its style + FADED.
FADED = STYLES

# Okabe & Ito, "Color Universal Design" (2008), each as the nearest of the 256 colours of xterm:
# the same then over a line that carries 256 colours only. Their black is the ink of the theme.
# Blue, orange, green, purple, vermilion, another blue, yellow, ink.
ON_DARK = (74, 214, 36, 175, 166, 33, 227, None)
ON_LIGHT = (25, 172, 29, 133, 166, 38, 142, None)

Rgb = tuple[int, int, int]

_LEVELS = (0, 95, 135, 175, 215, 255)


def curve_rgb(style: int, *, dark: bool) -> Rgb | None:
    """Return the colour of a curve; None is the ink of the theme."""
    number = (ON_DARK if dark else ON_LIGHT)[style % COLOURS]
    return None if number is None else xterm_rgb(number)


def xterm_rgb(number: int) -> Rgb:
    """Return one of the 240 fixed colours of xterm, 16..255: a cube of colours, then greys."""
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return grey, grey, grey
    red, rest = divmod(number - 16, 36)
    green, blue = divmod(rest, 6)
    return _LEVELS[red], _LEVELS[green], _LEVELS[blue]

"""A report as one HTML file: no script, nothing fetched, whatever the names in it are."""

from functools import partial
from itertools import count
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from cnn_core.errors import printable
from cnn_core.figures.chart import sample_figure
from cnn_core.report.blocks import Document, Figure, Tile
from cnn_core.report.pictures import curve_colours, data_uri, inline_svg, thumbnail


def to_html(document: Document) -> bytes:
    """Return the report as a page in UTF-8; the same document always gives the same bytes."""
    environment = Environment(
        loader=PackageLoader("cnn_core.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    numbers = count(1)
    environment.globals.update(
        figure=partial(_figure, numbers),
        sample=partial(_sample, numbers),
        picture=_picture,
        lines=_lines,
        kind=lambda block: type(block).__name__,
        light=curve_colours(dark=False),
        dark=curve_colours(dark=True),
    )
    page = environment.get_template("page.html.j2").render(document=document)
    return page.encode()


def _shown(value: Any) -> Any:
    """Return what is written of a value: control characters escaped, unless it is our own."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _lines(text: str) -> Markup:
    """Return lines of code, each as it is."""
    return Markup("\n").join(printable(line) for line in text.splitlines())


def _figure(numbers: "count[int]", figure: Figure) -> Markup:
    return Markup(inline_svg(figure.draw(False), f"f{next(numbers)}"))


def _sample(numbers: "count[int]", style: int) -> Markup:
    return Markup(inline_svg(sample_figure(style), f"f{next(numbers)}"))


def _picture(tile: Tile, wide: bool) -> dict[str, Any]:
    """Return address and size of a tile's picture, and whether its pixels are to be seen."""
    picture = Image.fromarray(tile.picture_HWC) if wide else thumbnail(tile.picture_HWC)
    return {
        "uri": Markup(data_uri(picture, exact=wide)),
        "width": picture.width,
        "height": picture.height,
        "coarse": max(picture.size) < 100,
    }

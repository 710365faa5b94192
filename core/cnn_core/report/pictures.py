"""Pictures of a report as bytes: thumbnails, figures, and figures inside a page."""

import base64
import io
import re
from typing import Any
from xml.etree import ElementTree

from PIL import Image

from cnn_core.datasets.index import Images
from cnn_core.figures.files import figure_bytes
from cnn_core.figures.palette import COLOURS, curve_rgb

_SIDE = 160
_SMALL = 64
_LEAST = 96
_SVG = "http://www.w3.org/2000/svg"
_LINK = "http://www.w3.org/1999/xlink"


def thumbnail(picture_HWC: Images) -> Image.Image:
    """Return the picture, at most 160 pixels a side."""
    picture = Image.fromarray(picture_HWC)
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return picture


def enlarged(picture: Image.Image) -> Image.Image:
    """Return a small picture with larger pixels, for where nothing else scales it."""
    factor = max(_LEAST // max(picture.size), 1)
    return picture.resize(
        (picture.width * factor, picture.height * factor), Image.Resampling.NEAREST
    )


def png_bytes(picture: Image.Image) -> bytes:
    """Return the picture as PNG."""
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return file.getvalue()


def data_uri(picture: Image.Image, *, exact: bool) -> str:
    """Return the picture as an address that holds it: PNG if ``exact`` or small, else JPEG."""
    if exact or max(picture.size) <= _SMALL:
        return _uri("image/png", png_bytes(picture))
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=88)
    return _uri("image/jpeg", file.getvalue())


def inline_svg(figure: Any, prefix: str) -> str:
    """Return the figure as an ``svg`` element for a page, in the colours of the page's style.

    It is as wide as its place. Its ids start with ``prefix``, which must be the figure's own.
    """
    root = ElementTree.fromstring(figure_bytes(figure, "svg", text=True, transparent=True))
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        for name, value in element.attrib.items():
            element.set(name, _own(name, value, prefix))
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    return ElementTree.tostring(root, encoding="unicode")


def _own(name: str, value: str, prefix: str) -> str:
    """Return an attribute of the page's own ids and colours."""
    if name == "id":
        return f"{prefix}-{value}"
    if name == f"{{{_LINK}}}href" and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    if name == "clip-path":
        return value.replace("url(#", f"url(#{prefix}-")
    if name == "style":
        return re.sub(r"#[0-9a-f]{6}", lambda match: _PAGE.get(match[0], match[0]), value)
    return value


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _page_colours() -> dict[str, str]:
    """Return what stands in the page for the colours that figures are drawn with."""
    colours = {
        "#000000": "currentColor",
        "#282828": "currentColor",
        "#666666": "var(--muted)",
        "#808080": "var(--muted)",
        "#ebebeb": "var(--line)",
        "#ffffff": "var(--paper)",
    }
    for style in range(COLOURS):
        if rgb := curve_rgb(style, dark=False):
            colours["#" + bytes(rgb).hex()] = f"var(--c{style})"
    return colours


_PAGE = _page_colours()


def curve_colours(*, dark: bool) -> list[tuple[str, str]]:
    """Return names and values of the page's colours for curves."""
    return [
        (f"--c{style}", "#" + bytes(rgb).hex())
        for style in range(COLOURS)
        if (rgb := curve_rgb(style, dark=dark))
    ]

"""A report as Markdown, its pictures in a folder beside it."""

import re
from urllib.parse import quote

from PIL import Image

from cnn_core.errors import printable
from cnn_core.figures.files import figure_bytes
from cnn_core.report.blocks import (
    Block,
    Code,
    Document,
    Figure,
    Figures,
    Folded,
    Gallery,
    Section,
    Words,
)
from cnn_core.report.pictures import enlarged, png_bytes, thumbnail
from cnn_core.runs.tables import markdown_text, to_markdown

_ACROSS = 4


def to_markdown_files(document: Document, folder: str) -> tuple[str, dict[str, bytes]]:
    """Return the text, and its pictures by name; it refers to them as ``folder``/name."""
    return _Writer(folder).write(document)


class _Writer:
    """Writes blocks one after another, and keeps their pictures."""

    def __init__(self, folder: str) -> None:
        self._folder = quote(printable(folder))
        self._pictures: dict[str, bytes] = {}

    def write(self, document: Document) -> tuple[str, dict[str, bytes]]:
        parts = [f"# {_line(document.title)}", *map(_line, document.lead)]
        for section in document.sections:
            parts += self._section(section, 2)
        parts += ["---", _line(document.written)]
        return "\n\n".join(parts) + "\n", self._pictures

    def _section(self, section: Section, level: int) -> list[str]:
        parts = [f"{'#' * level} {_line(section.title)}"]
        for block in section.blocks:
            parts += self._block(block)
        for inner in section.sections:
            parts += self._section(inner, level + 1)
        return parts

    def _block(self, block: Block) -> list[str]:
        match block:
            case Words(text, missing):
                return [f"*{_line(text)}*" if missing else _line(text)]
            case Code(text):
                return [_fenced(text)]
            case Folded(title, blocks):
                inner = [part for one in blocks for part in self._block(one)]
                summary = f"<details><summary>{_line(title)}</summary>"
                return [summary, *inner, "</details>"]
            case Figures(figures):
                return [part for one in figures for part in self._figure(one)]
            case Gallery():
                return [self._gallery(block)]
            case _:
                return [to_markdown(block).rstrip("\n")]

    def _figure(self, one: Figure) -> list[str]:
        picture = self._picture(one.name, one.caption, figure_bytes(one.draw(True), "png"))
        return [f"**{_line(one.caption)}**", picture]

    def _gallery(self, block: Gallery) -> str:
        """Return rows of pictures with their captions below them."""
        cells = []
        for tile in block.tiles:
            whole = Image.fromarray(tile.picture_HWC)
            content = png_bytes(whole if block.wide else enlarged(thumbnail(tile.picture_HWC)))
            lines = [self._picture(block.name, tile.alt, content), *map(markdown_text, tile.lines)]
            cells.append("<br>".join(lines))
        across = min(_ACROSS, len(cells))
        cells += [""] * (-len(cells) % across)
        rows = [cells[start : start + across] for start in range(0, len(cells), across)]
        lines = [f"| {' | '.join(row)} |" for row in [[""] * across, ["---"] * across, *rows]]
        return "\n".join(lines)

    def _picture(self, name: str, alt: str, content: bytes) -> str:
        file = f"{len(self._pictures) + 1:03d}-{name}.png"
        self._pictures[file] = content
        return f"![{markdown_text(alt)}]({self._folder}/{file})"


def _line(text: str) -> str:
    """Return text that starts no heading, list or quotation."""
    escaped = markdown_text(text).replace("#", r"\#")
    return re.sub(r"^(\s*\d*)([-+=.)])", r"\1\\\2", escaped)


def _fenced(text: str) -> str:
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return "\n".join([fence, *map(printable, text.splitlines()), fence])

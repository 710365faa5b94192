"""What a report consists of, whatever file it becomes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cnn_core.datasets.index import Images
from cnn_core.runs.tables import Table


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph; ``missing`` where it stands for what can't be had."""

    text: str
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of matplotlib, made when it is written: ``draw(legend)``.

    ``legend``: the curves are named in the figure, else beside it. ``name`` is for a file,
    ``caption`` says what is to be seen.
    """

    name: str
    caption: str
    draw: Callable[[bool], Any]


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures side by side, and the curves they share: (label, style)."""

    figures: tuple[Figure, ...]
    legend: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A picture, uint8 (height, width, 3), ``alt`` of which says what it is; lines below it."""

    picture_HWC: Images
    alt: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures with captions; ``name`` is for their files, ``wide`` ones keep their size."""

    name: str
    tiles: tuple[Tile, ...]
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to copy."""

    text: str


@dataclass(frozen=True, slots=True)
class Folded:
    """What is seen on request only."""

    title: str
    blocks: tuple["Block", ...]


@dataclass(slots=True)
class Section:
    """A heading and what stands below it; ``anchor`` is unique in the report."""

    title: str
    anchor: str
    blocks: list["Block"] = field(default_factory=list)
    sections: list["Section"] = field(default_factory=list)


Block: TypeAlias = Words | Table | Figures | Gallery | Code | Folded


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report; ``written`` says when and by what it was made."""

    title: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]
    written: str

"""The lines above a chart: the name of y and a sample of each curve with its label."""

from collections.abc import Sequence

from rich.cells import cell_len

from cnn_core.errors import printable
from cnn_core.figures.palette import FADED, STYLES
from cnn_tui.charts.cells import Cells
from cnn_tui.charts.palette import MARKERS, MUTED, TEXT

Entry = tuple[str, int, bool]  # a label, the role of its curve, and whether that is joined

_SAMPLE = 4  # cells, with the blank behind it
_APART, _AFTER_NAME = 2, 3
_SHORTEST = 6  # of labels that are cut


def legend_rows(name: str, entries: Sequence[Entry], width: int, most: int) -> int:
    """Return in how many rows, of ``most``, the labels stand uncut if they can."""
    sizes = [cell_len(printable(label)) for label, *_ in entries]
    start = _start(name, width)
    for rows in range(1, most):
        if _fits(_places(sizes, start, width), sizes, width, rows):
            return rows
    return most


def legend(name: str, entries: Sequence[Entry], width: int, rows: int) -> Cells:
    """Return the name and the entries in that many rows, labels cut to fit."""
    cells = Cells.blank(width, rows)
    start = _start(name, width)
    cells.put(0, 0, cut(printable(name), max(start - _AFTER_NAME, 0)), MUTED)
    labels = [printable(label) for label, *_ in entries]
    longest = min(max(map(cell_len, labels), default=0), width)
    while True:
        shown = [cut(label, longest) for label in labels]
        sizes = [cell_len(label) for label in shown]
        places = _places(sizes, start, width)
        if longest <= _SHORTEST or _fits(places, sizes, width, rows):
            break
        longest -= 1
    for (row, column), label, (_, role, joined) in zip(places, shown, entries, strict=True):
        if row >= rows or column + _SAMPLE + 1 > width:
            cells.put(width - 1, rows - 1, "…", MUTED)
            break
        marker = "─" if role >= FADED else MARKERS[role % STYLES]
        cells.put(column, row, f"─{marker}─" if joined else f" {marker} ", role)
        cells.put(column + _SAMPLE, row, label, MUTED if role >= FADED else TEXT)
    return cells


def _start(name: str, width: int) -> int:
    size = cell_len(printable(name))
    return min(size + _AFTER_NAME, width // 2) if size else 0


def _places(sizes: Sequence[int], start: int, width: int) -> list[tuple[int, int]]:
    """Return row and column of each entry, a new row where one ends."""
    places, row, column = [], 0, start
    for size in sizes:
        if column > start and column + _SAMPLE + size > width:
            row, column = row + 1, start
        places.append((row, column))
        column += _SAMPLE + size + _APART
    return places


def _fits(places: Sequence[tuple[int, int]], sizes: Sequence[int], width: int, rows: int) -> bool:
    return all(
        row < rows and column + _SAMPLE + size <= width
        for (row, column), size in zip(places, sizes, strict=True)
    )


def cut(label: str, size: int) -> str:
    """Return a label cut in its middle: runs differ at the end of their names, too."""
    if cell_len(label) <= size:
        return label
    half = size // 2
    return f"{_within(label, size - 1 - half)}…{_within(label[::-1], half)[::-1]}"


def _within(text: str, size: int) -> str:
    """Return the longest beginning of at most ``size`` cells."""
    while text and cell_len(text) > size:
        text = text[: min(size, len(text) - 1)]
    return text

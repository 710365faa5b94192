"""Descents in words: how each ended, as cells of a table."""

from collections.abc import Collection, Sequence

from rich.text import Text

from cnn_core.surfaces.descent import Method, Step
from cnn_core.surfaces.surface import Surface
from cnn_tui.charts.palette import MARKERS, Ink, styles
from cnn_tui.output import literal
from cnn_tui.surface_race import Entrant

COLUMNS = ("method", "lr", "steps", "x", "y", "value", "gradient", "to minimum", "ended")
RIGHT = COLUMNS[1:-1]
_WIDE = 76  # columns of the app's table that show all of it
_ENDINGS = {
    "gradient small": "at rest",
    "left the domain": "left",
    "steps run out": "spent",
    "not finite": "not finite",
}


def row_of(surface: Surface, method: Method, step: Step) -> Sequence[str | None]:
    """Return the cells of a method that has come to this step."""
    distance = surface.distance(step.x, step.y)
    return (
        method.name,
        "torch's" if method.lr is None else f"{method.lr:.4g}",
        f"{step.step:,}",
        f"{step.x:.6g}",
        f"{step.y:.6g}",
        number(step.value),
        number(step.gradient_norm),
        None if distance is None else f"{distance:.3g}",
        step.ending,
    )


def number(value: float) -> str | None:
    """Return a figure in few digits; None where there is none."""
    return f"{value:.4g}" if value == value else None


def methods_table(
    surface: Surface,
    entrants: Sequence[Entrant],
    off: Collection[str],
    methods: Sequence[Method],
    steps: Sequence[Step],
    width: int,
    ink: Ink,
) -> tuple[list[tuple[str, Text]], dict[str, list[Text]]]:
    """Return columns and rows of the app's table: all methods, and how far those are that run."""
    at = {method.name: (method, step) for method, step in zip(methods, steps, strict=True)}
    wide = width >= _WIDE
    names = ["method", "step", "value", "state"]
    if wide:
        names[1:] = ["lr", "step", "value", "gradient", "to minimum", "state"]
    rows = {}
    for place, one in enumerate(entrants, 1):
        method, step = at.get(one.name, (None, None))
        state = "off" if one.name in off else "ready"
        figures = dict.fromkeys(names, "")
        if method is not None and step is not None:
            row = dict(zip(COLUMNS, row_of(surface, method, step), strict=True))
            figures |= {name: row.get(name) or "–" for name in names} | {"step": f"{step.step:,}"}
            state = _ENDINGS[step.ending] if step.ending else "descends"
        elif one.lr is not None:
            figures["lr"] = f"{one.lr:.4g}"
        figures |= {"method": f"{place} {MARKERS[one.style]} {one.name}", "state": state}
        cells = [literal(figures[name]) for name in names]
        if state == "off":
            cells = [Text(cell.plain, "dim") for cell in cells]
        else:
            cells[0].stylize(styles(ink)[one.style], 2, 3)
        rows[one.name] = cells
    return [(name, Text(name)) for name in names], rows

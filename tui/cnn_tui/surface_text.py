"""Descents in words: how each ended, as cells of a table."""

from collections.abc import Sequence

from cnn_core.surfaces.descent import Method, Step
from cnn_core.surfaces.functions import Surface

COLUMNS = ("method", "lr", "steps", "x", "y", "value", "gradient", "to minimum", "ended")
RIGHT = COLUMNS[1:-1]


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

"""What a chart shows: curves and how they are looked at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnn_core.figures.palette import FADED, STYLES
from cnn_core.figures.series import Floats, ordered, smooth

Range = tuple[float, float]

# Numbers beyond, which single precision has not, are left out: spans between them and margins
# around them have no float. A logarithmic axis goes down to the reciprocal.
HUGE = 1e150


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A labelled series; ``style`` is an index in the palette's 8 colours and 16 styles.

    One that is not ``joined`` is points without lines between them, each with its marker.
    """

    label: str
    x: Floats
    y: Floats
    style: int
    faded: bool = False
    joined: bool = True


@dataclass(frozen=True, slots=True)
class View:
    """How curves are shown; ``marks`` are labelled vertical lines, such as the best epoch.

    ``smoothing`` is the weight of the moving average, in 0..1 without 1. With ``log_x`` the x of
    curves are logarithms to base 10; with ``x_names`` they count these names from 0.
    """

    x_label: str = ""
    y_label: str = ""
    log_y: bool = False
    smoothing: float = 0.0
    x_range: Range | None = None
    y_range: Range | None = None
    marks: tuple[tuple[float, str], ...] = ()
    log_x: bool = False
    x_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A curve as it is drawn: in order of x, finite or NaN; ``marked`` ones carry markers."""

    x: Floats
    y: Floats
    role: int
    marked: bool
    joined: bool = True


def role_of(curve: Curve) -> int:
    """Return the role of a curve's cells."""
    return curve.style % STYLES + (FADED if curve.faded else 0)


def lines_of(curve: Curve, view: View) -> list[Line]:
    """Return what to draw of a curve: smoothed, with the raw one faded behind.

    Values that a logarithmic axis can't show are NaN.
    """
    count = min(len(curve.x), len(curve.y))
    x, y = ordered(_finite(curve.x[:count]), _finite(curve.y[:count]))
    smoothed = smooth(y, view.smoothing)
    if view.log_y:
        y, smoothed = (np.where(values > 1 / HUGE, values, np.nan) for values in (y, smoothed))
    if not curve.joined:
        return [Line(x, y, role_of(curve), True, joined=False)]
    line = Line(x, smoothed, role_of(curve), True)
    if not view.smoothing or curve.faded:
        return [line]
    return [Line(x, y, curve.style % STYLES + FADED, False), line]


def x_extent(curves: Sequence[Curve]) -> Range | None:
    """Return the range of x that curves cover together; None where it has no size."""
    parts = [curve.x[np.isfinite(curve.x)] for curve in curves]
    ends = [float(end) for x in parts if len(x) for end in (x.min(), x.max())]
    return (min(ends), max(ends)) if ends and min(ends) < max(ends) else None


def value_at(curve: Curve, x: float) -> str:
    """Return the value of the point nearest to x, in few digits."""
    distances = np.abs(curve.x - x)
    if not np.isfinite(distances).any():
        return "–"
    return f"{curve.y[int(np.nanargmin(distances))]:.4g}"


def x_text(view: View, x: float) -> str:
    """Return a place on the x-axis as text: a name, or a number of few digits."""
    if view.x_names:
        return view.x_names[min(max(round(x), 0), len(view.x_names) - 1)]
    return f"{10**x if view.log_x else x:.4g}"


def _finite(values: Floats) -> Floats:
    values = np.asarray(values, np.float64)
    return np.where(np.abs(values) <= HUGE, values, np.nan)

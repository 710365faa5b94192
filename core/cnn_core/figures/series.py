"""Long series made short enough to draw: smoothed, cut to a range, reduced to columns."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BLOCK = 128


def ordered(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the points in order of x, without those whose x is NaN or infinite."""
    if not np.isfinite(x).all():
        kept = np.isfinite(x)
        x, y = x[kept], y[kept]
    if len(x) > 1 and (np.diff(x) < 0).any():
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
    return x, y


def within(x: Floats, y: Floats, x_range: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return the part of a curve inside a range; ``x`` must be in order.

    Where the line between two points crosses an end of the range, a point is put on it, so that
    lines go on to the edge.
    """
    low, high = x_range
    first, last = int(np.searchsorted(x, low)), int(np.searchsorted(x, high, side="right"))
    inner_x, inner_y = x[first:last], y[first:last]
    if 0 < first < len(x) and x[first] > low:
        inner_x = np.r_[low, inner_x]
        inner_y = np.r_[_between(x, y, first, low), inner_y]
    if 0 < last < len(x) and x[last - 1] < high:
        inner_x = np.r_[inner_x, high]
        inner_y = np.r_[inner_y, _between(x, y, last, high)]
    return inner_x, inner_y


def _between(x: Floats, y: Floats, index: int, at: float) -> np.float64:
    """Return y at ``at``, on the line from the point before ``index`` to the one there."""
    share = (at - x[index - 1]) / (x[index] - x[index - 1])
    return np.float64(y[index - 1] * (1 - share) + y[index] * share)


def reduce_to_columns(
    x: Floats, y: Floats, columns: int, x_range: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Return the lowest and the highest point of each of ``columns`` columns, in order of x.

    Points outside ``x_range`` are dropped. Between two kept points with a NaN or an infinity
    between them stands a point whose y is NaN: a gap in the line.
    """
    x, y = ordered(np.asarray(x, np.float64), np.asarray(y, np.float64))
    inside = slice(np.searchsorted(x, x_range[0]), np.searchsorted(x, x_range[1], side="right"))
    x, y = x[inside], y[inside]
    finite = np.isfinite(y)
    breaks = np.cumsum(~finite)[finite]
    x, y = x[finite], y[finite]
    if not len(x):
        return x, y
    span = x_range[1] - x_range[0]
    share = (x - x_range[0]) / span if span > 0 else np.zeros_like(x)
    column = np.minimum((share * columns).astype(np.int64), columns - 1)
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    kept = np.union1d(
        _first_equal(y, np.minimum.reduceat(y, starts), starts),
        _first_equal(y, np.maximum.reduceat(y, starts), starts),
    )
    gaps = np.flatnonzero(np.diff(breaks[kept])) + 1
    x, y = x[kept], y[kept]
    return np.insert(x, gaps, (x[gaps - 1] + x[gaps]) / 2), np.insert(y, gaps, np.nan)


def _first_equal(y: Floats, wanted: Floats, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each group beginning at ``starts`` the first index whose y is the wanted one."""
    sizes = np.diff(starts, append=len(y))
    found = np.flatnonzero(y == np.repeat(wanted, sizes))
    return found[np.searchsorted(found, starts)]


def smooth(y: Floats, weight: float) -> Floats:
    """Return the exponential moving average, freed of its bias towards the first values.

    As TensorBoard does it (``resmoothDataset`` in ``tf-line-chart-data-loader.ts`` and
    ``classicSmoothing`` of its time series): the average starts at zero and is divided by
    ``1 - weight ** n``. Values that are NaN or infinite are passed on and do not count.
    ``weight`` is in 0..1, without 1; 0 changes nothing.
    """
    y = np.asarray(y, np.float64)
    finite = np.isfinite(y)
    values = y[finite]
    if weight <= 0 or not len(values):
        return y
    count = len(values)
    blocks = np.zeros((-(-count // _BLOCK), _BLOCK))
    blocks.flat[:count] = values
    rate = np.log(weight)
    age = np.arange(_BLOCK) - np.arange(_BLOCK)[:, None]
    # A block is one product; only the average at its end is carried to the next.
    averages = blocks @ np.where(age >= 0, (1 - weight) * np.exp(np.abs(age) * rate), 0)
    decay = np.exp(np.arange(1, _BLOCK + 1) * rate)
    carried = 0.0
    for block in averages:
        block += carried * decay
        carried = block[-1]
    smoothed = y.copy()
    smoothed[finite] = averages.flat[:count] / -np.expm1(np.arange(1, count + 1) * rate)
    return smoothed

"""Milliseconds of drawing a chart: ``python benchmarks/charts.py [--times 21]``.

Two noisy curves, smoothed with the raw ones behind; processor time of the whole drawing, smoothing
and reduction to columns included, after one that is not counted.
"""

import argparse
import time

import numpy as np

from cnn_tui.charts.plot import Curve, View, compose
from measuring import spread, table

SIZES = ((80, 20), (120, 40), (200, 60))
POINTS = (100, 1_000, 10_000, 100_000)


def main() -> None:
    """Print a table of the median, the fastest and the slowest drawing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=21)
    times = parser.parse_args().times
    rows = []
    for width, height in SIZES:
        for points in POINTS:
            spent = [1e3 * seconds for seconds in timed(noisy(points), width, height, times)]
            rows.append((f"{width}x{height}", str(points), *spread(spent, ".1f")))
    print(table(("ms of drawing", "points", "median", "min", "max"), rows))


def noisy(points: int) -> list[Curve]:
    """Return two falling losses with noise."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 30, points)
    return [
        Curve(name, x, 2.3 * np.exp(-x / 8) + floor + rng.normal(0, 0.08, points), style)
        for style, (name, floor) in enumerate((("train loss", 0.3), ("val loss", 0.5)))
    ]


def timed(curves: list[Curve], width: int, height: int, times: int) -> list[float]:
    """Return the seconds of each drawing but the first."""
    view = View("step", "loss", smoothing=0.9, marks=((22.0, "best"),))
    spent = []
    for _ in range(times + 1):
        started = time.thread_time()
        compose(curves, view, width, height)
        spent.append(time.thread_time() - started)
    return spent[1:]


if __name__ == "__main__":
    main()

"""What a function of two variables is, to those who descend it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Formula = Callable[[Any, Any, Any], Any]
"""``formula(xp, x, y)``: the value, by the functions of ``xp``, which is numpy or torch."""

Point = tuple[float, float]

METHODS = ("plain", "momentum", "nesterov", "adam")


@dataclass(frozen=True)
class Box:
    """A square of the plane, its edges included."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    @property
    def side(self) -> float:
        """The length of an edge."""
        return self.x_high - self.x_low

    def holds(self, x: float, y: float) -> bool:
        """Return whether the point lies in it; one that is NaN does not."""
        return self.x_low <= x <= self.x_high and self.y_low <= y <= self.y_high


@dataclass(frozen=True)
class Surface:
    """A function; all of ``minima`` are global, with the value ``lowest`` (none: no minimum).

    ``domain`` is what is shown of it, made an image of, and not to be left by a descent.
    ``rates`` are learning rates of METHODS with which a descent from ``start`` behaves, where the
    positions are those of the function. ``log_scale`` says that colours shall follow the logarithm
    of the height above the lowest point.
    """

    name: str
    title: str
    formula: Formula
    domain: Box
    minima: tuple[Point, ...]
    lowest: float | None
    start: Point
    rates: Mapping[str, float]
    source: str
    log_scale: bool = False

    def distance(self, x: float, y: float) -> float | None:
        """Return how far the nearest minimum is; None without one."""
        return min((math.hypot(x - a, y - b) for a, b in self.minima), default=None)

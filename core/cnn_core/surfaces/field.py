"""What is descended on: a function itself, or an image of it."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnn_core.errors import UserError
from cnn_core.surfaces.surface import Box, Formula, Point, Surface

GradientKind = Literal["autograd", "numeric"]

Values = NDArray[np.float64]

_SMALLEST, _LARGEST = 2, 4096  # pixels along an edge


@dataclass(frozen=True)
class Field:
    """A formula over ``domain``, in coordinates of which one is ``scale`` of the function's units.

    These are the function's own, or pixels of an image of it, whose first one lies at ``origin``.
    ``epsilon`` is the step of the numeric gradient, in these coordinates.
    """

    formula: Formula
    domain: Box
    gradient: GradientKind
    epsilon: float
    scale: float = 1.0
    origin: Point = (0.0, 0.0)

    def inwards(self, x: float, y: float) -> Point:
        """Return a point of the function in coordinates of the field."""
        return (x - self.origin[0]) / self.scale, (y - self.origin[1]) / self.scale

    def outwards(self, x: float, y: float) -> Point:
        """Return a point of the field in coordinates of the function."""
        return self.origin[0] + x * self.scale, self.origin[1] + y * self.scale

    def evaluate(self, x: float, y: float) -> tuple[float, float, float]:
        """Return the value at a point of the field, and its derivatives along x and y there."""
        if self.gradient == "numeric":
            return self._differences(x, y)
        import torch

        at = [torch.tensor(one, dtype=torch.float64, requires_grad=True) for one in (x, y)]
        value = self.formula(torch, *at)
        by_x, by_y = torch.autograd.grad(value, at)
        return value.item(), by_x.item(), by_y.item()

    def _differences(self, x: float, y: float) -> tuple[float, float, float]:
        """Return the value and central differences."""
        step = self.epsilon
        # NumPy's own floats: an infinity ends the descent, where Python's raise.
        with np.errstate(all="ignore"):
            xs = np.array([x, x + step, x - step, x, x])
            ys = np.array([y, y, y, y + step, y - step])
            value, right, left, up, down = (
                float(self.formula(np, *at)) for at in zip(xs, ys, strict=True)
            )
        return value, (right - left) / (2 * step), (up - down) / (2 * step)


def exact_field(
    surface: Surface, gradient: GradientKind = "autograd", epsilon: float | None = None
) -> Field:
    """Return the function as it is; ``epsilon`` None: a step at which few digits are lost."""
    step = 1e-6 * surface.domain.side if epsilon is None else epsilon
    return Field(surface.formula, surface.domain, gradient, _positive(step))


def sampled_field(
    surface: Surface, grid: int, gradient: GradientKind = "numeric", epsilon: float | None = None
) -> Field:
    """Return the function held as an image of ``grid`` x ``grid`` pixels, bilinear between them.

    Positions, ``epsilon`` (None: 1) and learning rates count pixels. UserError: no such image.
    """
    if not _SMALLEST <= grid <= _LARGEST:
        raise UserError(f"a grid of {grid} pixels: expected {_SMALLEST} to {_LARGEST}")
    domain = surface.domain
    return Field(
        _bilinear(sample(surface, grid)),
        Box(0.0, grid - 1.0, 0.0, grid - 1.0),
        gradient,
        _positive(1.0 if epsilon is None else epsilon),
        domain.side / (grid - 1),
        (domain.x_low, domain.y_low),
    )


def field_of(
    surface: Surface,
    grid: int | None = None,
    gradient: GradientKind | None = None,
    epsilon: float | None = None,
) -> Field:
    """Return the image of ``grid`` pixels, or for None the function itself."""
    kind = gradient or default_gradient(grid)
    if grid is None:
        return exact_field(surface, kind, epsilon)
    return sampled_field(surface, grid, kind, epsilon)


def default_gradient(grid: int | None) -> GradientKind:
    """Return how gradients are taken where nobody says: of images by differences."""
    return "autograd" if grid is None else "numeric"


def sample(surface: Surface, grid: int) -> Values:
    """Return the values at ``grid`` x ``grid`` points, edges included, by y upwards and x."""
    domain = surface.domain
    x = np.linspace(domain.x_low, domain.x_high, grid)
    y = np.linspace(domain.y_low, domain.y_high, grid)
    values_YX: Values = surface.formula(np, *np.meshgrid(x, y))
    return values_YX


def _bilinear(values_YX: Values) -> Formula:
    """Return the interpolation of single points; beyond the edge the last pixels go on."""
    last = len(values_YX) - 2

    def value(_: Any, x: Any, y: Any) -> Any:
        if not (math.isfinite(x.item()) and math.isfinite(y.item())):
            return x * y
        column, row = (min(max(math.floor(at.item()), 0), last) for at in (x, y))
        (low_left, low_right), (high_left, high_right) = values_YX[
            row : row + 2, column : column + 2
        ].tolist()
        right, up = x - column, y - row
        low = low_left + (low_right - low_left) * right
        high = high_left + (high_right - high_left) * right
        return low + (high - low) * up

    return value


def _positive(epsilon: float) -> float:
    if not 0 < epsilon < math.inf:
        raise UserError(f"epsilon {epsilon:g}: expected a number above 0")
    return epsilon

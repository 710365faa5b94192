"""The colours of heights: dark below, so that paths stand out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_core.figures.palette import xterm_rgb
from cnn_core.surfaces.field import Values, sample
from cnn_core.surfaces.surface import Surface

_SAMPLES = 201
_DEEPEST = 0.03  # of the domain, which a logarithmic scale does not tell apart
# Black, navy, greys, olive: no hue that a curve of the palette has. Each is one of the 256 colours
# of xterm, and what lies between them is near to one.
RAMP = tuple(xterm_rgb(number) for number in (16, 17, 237, 240, 59, 101, 144, 187))


@dataclass(frozen=True)
class Heat:
    """Values as shares, 0..1, of the heights that a surface has in its domain.

    On a logarithmic scale heights are told apart from ``unit`` on.
    """

    low: float
    span: float
    unit: float | None

    def shares(self, values: Any) -> Values:
        """Return the shares, of any shape."""
        above = np.clip(np.asarray(values, np.float64) - self.low, 0, self.span)
        if self.unit is None:
            return np.asarray(above / self.span)
        return np.asarray(np.log1p(above / self.unit) / np.log1p(self.span / self.unit))

    def value(self, share: float) -> float:
        """Return the value that has this share."""
        if self.unit is None:
            return self.low + share * self.span
        return self.low + self.unit * float(np.expm1(share * np.log1p(self.span / self.unit)))


def heat_of(surface: Surface) -> Heat:
    """Return how the values of a surface are coloured."""
    values = sample(surface, _SAMPLES)
    low = float(values.min() if surface.lowest is None else surface.lowest)
    unit = float(np.quantile(values - low, _DEEPEST)) if surface.log_scale else None
    return Heat(low, float(values.max()) - low, unit)


def coloured(shares: Values) -> NDArray[np.uint8]:
    """Return the colours of shares, red, green and blue along a further axis."""
    ends = np.linspace(0, 1, len(RAMP))
    channels = [np.interp(shares, ends, channel) for channel in zip(*RAMP, strict=True)]
    return np.stack(channels, -1).round().astype(np.uint8)

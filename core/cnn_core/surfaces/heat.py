"""The colours of heights: dark below, so that paths stand out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_core.figures.palette import xterm_rgb
from cnn_core.surfaces.field import Values, sample
from cnn_core.surfaces.functions import Surface

_SAMPLES = 201
_DECADES = 6  # of heights, that a logarithmic scale tells apart
# Black, navy, greys, olive: no hue that a curve of the palette has. Each is one of the 256 colours
# of xterm, and what lies between them is near to one.
RAMP = tuple(xterm_rgb(number) for number in (16, 17, 237, 240, 59, 101, 144, 187))


@dataclass(frozen=True)
class Heat:
    """Values as shares of the range of a surface, 0..1, which it spans in the whole domain."""

    low: float
    high: float
    log: bool

    @property
    def _unit(self) -> float:
        """Heights above the lowest point are told apart from this one on."""
        return (self.high - self.low) / 10.0**_DECADES

    def shares(self, values: Any) -> Values:
        """Return the shares, of any shape."""
        above = np.clip(np.asarray(values, np.float64) - self.low, 0, self.high - self.low)
        if not self.log:
            return np.asarray(above / (self.high - self.low))
        return np.asarray(np.log1p(above / self._unit) / np.log1p(10.0**_DECADES))

    def value(self, share: float) -> float:
        """Return the value that has this share."""
        if not self.log:
            return self.low + share * (self.high - self.low)
        return self.low + self._unit * float(np.expm1(share * np.log1p(10.0**_DECADES)))


def heat_of(surface: Surface) -> Heat:
    """Return how the values of a surface are coloured."""
    values = sample(surface, _SAMPLES)
    low = values.min() if surface.lowest is None else surface.lowest
    return Heat(float(low), float(values.max()), surface.log_scale)


def coloured(shares: Values) -> NDArray[np.uint8]:
    """Return the colours of shares, red, green and blue along a further axis."""
    ends = np.linspace(0, 1, len(RAMP))
    channels = [np.interp(shares, ends, channel) for channel in zip(*RAMP, strict=True)]
    return np.stack(channels, -1).round().astype(np.uint8)

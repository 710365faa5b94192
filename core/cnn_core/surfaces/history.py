"""How descents went, as curves over their steps."""

from collections.abc import Callable, Sequence

import numpy as np

from cnn_core.figures.curves import Curve
from cnn_core.figures.series import Floats
from cnn_core.surfaces.descent import Step, Track
from cnn_core.surfaces.surface import Surface


def value_label(surface: Surface) -> str:
    """Return what the curves of values show: of a surface below 0 the height above its minimum."""
    return "value above the minimum" if surface.lowest else "value"


def value_curves(surface: Surface, tracks: Sequence[Track], upto: int | None = None) -> list[Curve]:
    """Return the values of the steps up to one, all of them where it is None."""
    low = surface.lowest or 0.0
    return _curves(tracks, lambda step: step.value - low, upto)


def norm_curves(tracks: Sequence[Track], upto: int | None = None) -> list[Curve]:
    """Return the norms of the gradient likewise."""
    return _curves(tracks, lambda step: step.gradient_norm, upto)


def _curves(
    tracks: Sequence[Track], read: Callable[[Step], float], upto: int | None
) -> list[Curve]:
    stop = None if upto is None else upto + 1
    curves = []
    for track in tracks:
        y: Floats = np.array([read(step) for step in track.steps[:stop]], np.float64)
        curves.append(Curve(track.label, np.arange(len(y), dtype=np.float64), y, track.style))
    return curves

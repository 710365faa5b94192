"""How descents went, as curves over their steps."""

from collections.abc import Sequence

import numpy as np

from cnn_core.figures.curves import Curve
from cnn_core.figures.series import Floats
from cnn_core.surfaces.descent import Track
from cnn_core.surfaces.functions import Surface


def value_label(surface: Surface) -> str:
    """Return what the curves of values show: of a surface below 0 the height above its minimum."""
    return "value above the minimum" if surface.lowest else "value"


def value_curves(surface: Surface, tracks: Sequence[Track], upto: int | None = None) -> list[Curve]:
    """Return the values of the steps up to one, all of them where it is None."""
    low = surface.lowest or 0.0
    return _curves(tracks, [[step.value - low for step in track.steps] for track in tracks], upto)


def norm_curves(tracks: Sequence[Track], upto: int | None = None) -> list[Curve]:
    """Return the norms of the gradient likewise."""
    return _curves(tracks, [[step.gradient_norm for step in track.steps] for track in tracks], upto)


def _curves(
    tracks: Sequence[Track], values: Sequence[Sequence[float]], upto: int | None
) -> list[Curve]:
    stop = None if upto is None else upto + 1
    curves = []
    for track, of_track in zip(tracks, values, strict=True):
        y: Floats = np.array(of_track[:stop], np.float64)
        curves.append(Curve(track.label, np.arange(len(y), dtype=np.float64), y, track.style))
    return curves

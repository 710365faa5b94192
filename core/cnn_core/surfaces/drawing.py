"""Descents as files: a picture, and one that moves."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from cnn_core.errors import UserError, printable
from cnn_core.figures.curves import Curve
from cnn_core.figures.files import figure_bytes, literal, new_figure
from cnn_core.figures.palette import curve_rgb
from cnn_core.files import write_atomically
from cnn_core.progress import Progress, Work
from cnn_core.surfaces.descent import Track
from cnn_core.surfaces.field import sample
from cnn_core.surfaces.heat import RAMP, Heat, heat_of
from cnn_core.surfaces.history import norm_curves, value_curves, value_label
from cnn_core.surfaces.surface import Surface

FRAMES = 60
_FRAME_MS, _LAST_MS = 80, 2500
_GRID = 301
_LEVELS = 12
_MARKERS = "o^sDv<P*"


def check_file(path: Path, suffix: str) -> Path:
    """Return the path; UserError where no file with that suffix can be written."""
    if path.suffix.lower() != suffix:
        raise UserError(f"{printable(path)}: expected a name that ends in {suffix}")
    if not path.parent.is_dir():
        raise UserError(f"{printable(path.parent)}: no such folder")
    return path


def save_png(
    path: Path, surface: Surface, tracks: Sequence[Track], *, grid: int | None = None
) -> None:
    """Write a picture of the paths, with value and gradient norm beside it, whole or not at all.

    ``grid`` shows the pixels that were descended on. UserError: it can't be written.
    """
    check_file(path, ".png")
    drawing = _Drawing(surface, tracks, grid, dpi=150)
    content = figure_bytes(drawing.figure, "png")
    _write(path, lambda file: file.write(content))


def save_gif(
    path: Path, surface: Surface, tracks: Sequence[Track], *, grid: int | None = None
) -> Work[None]:
    """Write the same picture with the paths growing, ever faster, in at most FRAMES frames."""
    check_file(path, ".gif")
    drawing = _Drawing(surface, tracks, grid, dpi=72)
    longest = max(len(track.steps) for track in tracks)
    stops = np.unique(np.geomspace(1, longest, FRAMES).round().astype(int)) - 1
    # All frames have the colours of the last one: what does not move costs nothing then.
    palette = drawing.image().quantize(255)
    frames: list[Image.Image] = []
    for stop in stops:
        yield Progress("drawing frames", len(frames), len(stops))
        drawing.show(int(stop))
        frames.append(drawing.image().quantize(palette=palette, dither=Image.Dither.NONE))
    durations = [*[_FRAME_MS] * (len(frames) - 1), _LAST_MS]

    def write(file: BinaryIO) -> None:
        frames[0].save(
            file,
            format="GIF",
            save_all=True,
            append_images=frames[1:],
            duration=durations,
            loop=0,
        )

    _write(path, write)


def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    try:
        write_atomically(path, write)
    except OSError as error:
        raise UserError(f"{printable(path)}: can't be written: {error.strerror}") from error


class _Drawing:
    """A figure whose paths and curves can be shown up to a step."""

    def __init__(
        self, surface: Surface, tracks: Sequence[Track], grid: int | None, *, dpi: int
    ) -> None:
        self._surface, self._tracks = surface, tracks
        self.figure = new_figure(11, 5.4, dpi)
        left, right = self.figure.subfigures(1, 2, width_ratios=(6, 5))
        self._map = left.subplots()
        _draw_surface(left, self._map, surface, grid)
        self._paths = [_draw_path(self._map, track) for track in tracks]
        self._draw_start()
        charts = right.subplots(2, 1, sharex=True)
        self._lines = [
            [_draw_curve(axes, curve) for curve in curves]
            for axes, curves in zip(charts, self._curves(None), strict=True)
        ]
        for axes, label in zip(charts, (value_label(surface), "gradient norm"), strict=True):
            axes.set(title=label)
            axes.grid(color="0.92", linewidth=0.8)
            axes.spines[["top", "right"]].set_visible(False)
        for axes, curves in zip(charts, self._curves(None), strict=True):
            y = np.concatenate([curve.y[np.isfinite(curve.y)] for curve in curves])
            if (y >= 0).all() and (y > 0).any():
                axes.set_yscale("log", nonpositive="mask")
        charts[1].set(xlabel="step", xlim=(0, max(len(t.steps) for t in tracks)))

    def show(self, upto: int) -> None:
        """Show the first steps only."""
        for (line, end), track in zip(self._paths, self._tracks, strict=True):
            steps = track.steps[: upto + 1]
            line.set_data([step.x for step in steps], [step.y for step in steps])
            end.set_data([steps[-1].x], [steps[-1].y])
        for lines, curves in zip(self._lines, self._curves(upto), strict=True):
            for line, curve in zip(lines, curves, strict=True):
                line.set_data(curve.x, curve.y)

    def image(self) -> Image.Image:
        """Return the figure as it is now."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        canvas: Any = FigureCanvasAgg(self.figure)
        canvas.draw()
        self.figure.set_layout_engine("none")  # as laid out once, every frame after it
        return Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3])

    def _curves(self, upto: int | None) -> tuple[list[Curve], list[Curve]]:
        return (
            value_curves(self._surface, self._tracks, upto),
            norm_curves(self._tracks, upto),
        )

    def _draw_start(self) -> None:
        start = self._tracks[0].steps[0]
        self._map.plot(start.x, start.y, "+", color="white", markersize=12, markeredgewidth=2)
        for x, y in self._surface.minima:
            self._map.plot(x, y, "x", color="white", markersize=7, clip_on=False)
        self._map.figure.legend(
            [end for _, end in self._paths],
            [literal(track.label) for track in self._tracks],
            loc="outside lower center",
            ncols=4,
            frameon=False,
        )


def _draw_surface(figure: Any, axes: Any, surface: Surface, grid: int | None) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    heat, box = heat_of(surface), surface.domain
    values_YX = sample(surface, grid or _GRID)
    shares_YX = heat.shares(values_YX)
    extent = (box.x_low, box.x_high, box.y_low, box.y_high)
    colours = [tuple(channel / 255 for channel in colour) for colour in RAMP]
    shown = axes.imshow(
        shares_YX,
        origin="lower",
        extent=extent,
        cmap=LinearSegmentedColormap.from_list("heights", colours),
        vmin=0,
        vmax=1,
        interpolation="nearest" if grid else "bilinear",
    )
    if surface.log_scale:  # of ripples, lines would be all that one sees
        levels = np.linspace(0, 1, _LEVELS + 2)[1:-1]
        axes.contour(shares_YX, levels, extent=extent, colors="white", alpha=0.25, linewidths=0.5)
    axes.set(xlim=extent[:2], ylim=extent[2:], xlabel="x", ylabel="y")
    axes.set_title(
        literal(surface.title if grid is None else f"{surface.title}, {grid} x {grid} pixels")
    )
    _draw_scale(figure, axes, shown, heat)


def _draw_scale(figure: Any, axes: Any, shown: Any, heat: Heat) -> None:
    ticks = np.linspace(0, 1, 6)
    bar = figure.colorbar(shown, ax=axes, ticks=ticks, shrink=0.85)
    bar.ax.set_yticklabels([f"{heat.value(tick):.3g}" for tick in ticks])


def _draw_path(axes: Any, track: Track) -> tuple[Any, Any]:
    """Return the line of a path and the marker at its end."""
    x, y = [step.x for step in track.steps], [step.y for step in track.steps]
    colour = _colour(track.style, dark=True)
    (line,) = axes.plot(x, y, color=colour, linewidth=1.3)
    marker = _MARKERS[track.style % len(_MARKERS)]
    (end,) = axes.plot(
        x[-1:], y[-1:], marker, color=colour, markersize=7, markeredgecolor="black", zorder=3
    )
    return line, end


def _draw_curve(axes: Any, curve: Curve) -> Any:
    colour = _colour(curve.style, dark=False)
    (line,) = axes.plot(curve.x, curve.y, color=colour, linewidth=1.3)
    return line


def _colour(style: int, *, dark: bool) -> tuple[float, float, float]:
    red, green, blue = curve_rgb(style, dark=dark) or ((230, 230, 230) if dark else (40, 40, 40))
    return red / 255, green / 255, blue / 255

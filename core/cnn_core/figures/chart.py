"""Curves as a figure in a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cnn_core.errors import UserError, printable
from cnn_core.figures.curves import Curve, View, lines_of
from cnn_core.figures.files import figure_bytes, literal, new_figure
from cnn_core.figures.palette import COLOURS, FADED, STYLES, curve_rgb
from cnn_core.figures.series import within
from cnn_core.files import write_atomically

_SUFFIXES = (".png", ".svg")

# Of the styles, in the order of the palette; dashes and hollow markers beside the colours.
_MARKERS = "o^sDo^sD" + "^sDo^sDo"
# Of a label at the end of a curve, as shares of the axes.
_LABEL_WIDTH, _LABEL_HEIGHT = 0.06, 0.07
_LETTERS = 80  # of a legend below, in a row
_DASHES = 4 * ("-",) + 4 * ("--",) + 8 * (":",)


def save_chart(path: Path, curves: Sequence[Curve], view: View, title: str = "") -> None:
    """Write a figure of the curves, PNG or SVG by the suffix of ``path``, whole or not at all.

    UserError: another suffix, or a place that can't be written.
    """
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise UserError(f"{printable(path)}: expected a name that ends in .png or .svg")
    content = figure_bytes(chart_figure(curves, view, title), suffix[1:])
    try:
        write_atomically(path, lambda file: file.write(content))
    except OSError as error:
        raise UserError(f"{printable(path)}: can't be written: {error.strerror}") from error


def chart_figure(
    curves: Sequence[Curve],
    view: View,
    title: str = "",
    *,
    size: tuple[float, float] = (8, 4.5),
    legend: Literal["inside", "below", "none"] = "inside",
    ends: Sequence[str] = (),
) -> Any:
    """Return a figure of the curves, ``size`` inches wide and high, a legend below not counted.

    ``ends`` are short labels of the curves, put at the end of each.
    """
    figure = new_figure(*size)
    axes = figure.add_subplot()
    handles = []
    for line in [line for curve in curves for line in lines_of(curve, view)]:
        x, y = line.x, line.y
        if view.x_range is not None and line.joined:  # so that y is scaled to what is seen
            x, y = within(x, y, view.x_range)
        x = 10**x if view.log_x else x
        handle = _drawn(axes, x, y, line.role, marked=line.marked, joined=line.joined)
        if line.marked:
            handles.append(handle)
    for at, label in view.marks:
        axes.axvline(at, color="0.5", linewidth=0.8, linestyle=":")
        axes.annotate(
            literal(label),
            (at, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, -10),
            textcoords="offset points",
            color="0.4",
            fontsize="small",
        )
    if view.marks:
        axes.margins(y=0.12)  # room for their labels
    if view.log_y:
        axes.set_yscale("log")
    if view.log_x:
        axes.set_xscale("log")
    if view.x_names:
        axes.set_xticks(range(len(view.x_names)), [*map(literal, view.x_names)])
    if view.x_range is not None:
        axes.set_xlim([10**end for end in view.x_range] if view.log_x else view.x_range)
    if view.y_range is not None:
        axes.set_ylim(view.y_range)
    axes.set(xlabel=literal(view.x_label), ylabel=literal(view.y_label), title=literal(title))
    axes.grid(color="0.92", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    _label_ends(axes, handles, ends)
    labels = [literal(curve.label) for curve in curves]
    if handles and legend == "inside":
        axes.legend(handles, labels, frameon=False)
    if handles and legend == "below":
        columns = max(1, min(4, _LETTERS // (max(map(len, labels)) + 6)))
        figure.set_figheight(size[1] + 0.22 * -(-len(labels) // columns))
        place = {"loc": "outside lower left", "ncols": columns}
        figure.legend(handles, labels, frameon=False, fontsize="small", **place)
    return figure


def sample_figure(style: int) -> Any:
    """Return a small figure of the line and the marker of a curve, for a legend beside charts."""
    figure = new_figure(0.5, 0.18)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    handle = _drawn(axes, np.arange(3.0), np.zeros(3), style, marked=True)
    handle.set_markevery([1])
    return figure


def _drawn(axes: Any, x: Any, y: Any, role: int, *, marked: bool, joined: bool = True) -> Any:
    style = role % STYLES
    red, green, blue = curve_rgb(style, dark=False) or (40, 40, 40)
    apart = max(len(x) // 10, 1)
    (handle,) = axes.plot(
        x,
        y,
        color=(red / 255, green / 255, blue / 255),
        alpha=0.35 if role >= FADED else 1.0,
        linewidth=1.6 if marked else 0.8,
        linestyle=_DASHES[style] if joined else "None",
        marker=_MARKERS[style] if marked else "None",
        markersize=5,
        markerfacecolor="white" if style % COLOURS >= COLOURS // 2 else None,
        markevery=(style * apart // STYLES, apart) if joined and np.isfinite(y).sum() > 1 else None,
    )
    return handle


def _label_ends(axes: Any, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Write a label behind the last point of each line, apart from each other."""
    axes.get_xlim(), axes.get_ylim()  # settles what the transforms rest on
    ends = []
    for handle, label in zip(handles, labels, strict=False):
        x, y = (np.asarray(values, np.float64) for values in handle.get_data())
        known = np.flatnonzero(np.isfinite(y))
        if len(known):
            at = axes.transData.transform((x[known[-1]], y[known[-1]]))
            across, up = axes.transAxes.inverted().transform(at)
            ends.append((up, across, label, handle.get_color()))
    ends.sort(key=lambda end: end[0])
    places = _apart([(across, up) for up, across, _, _ in ends])
    for place, (_, _, label, colour) in zip(places, ends, strict=True):
        axes.annotate(
            literal(label),
            place,
            xycoords="axes fraction",
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            weight="bold",
            annotation_clip=False,
        )


def _apart(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return (across, up), in order of up, moved up and then down until none covers another."""
    moved: list[tuple[float, float]] = []
    for across, up in places:
        near = [height for beside, height in moved if abs(beside - across) < _LABEL_WIDTH]
        moved.append((across, max(up, max(near, default=-1.0) + _LABEL_HEIGHT)))
    for place in reversed(range(len(moved))):
        across, up = moved[place]
        above = [high for beside, high in moved[place + 1 :] if abs(beside - across) < _LABEL_WIDTH]
        moved[place] = across, min(up, min(above, default=1.0 + _LABEL_HEIGHT) - _LABEL_HEIGHT)
    return moved

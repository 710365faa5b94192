"""Curves as a figure in a file."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnn_core.errors import UserError, printable
from cnn_core.files import write_atomically
from cnn_tui.charts.curves import Curve, View, lines_of
from cnn_tui.charts.palette import COLOURS, FADED, STYLES, curve_rgb
from cnn_tui.charts.series import within

_SUFFIXES = (".png", ".svg")

# Of the styles, in the order of the palette; dashes and hollow markers beside the colours.
_MARKERS = "o^sDo^sD" + "^sDo^sDo"
_DASHES = 4 * ("-",) + 4 * ("--",) + 8 * (":",)


def save_chart(path: Path, curves: Sequence[Curve], view: View, title: str = "") -> None:
    """Write a figure of the curves, PNG or SVG by the suffix of ``path``, whole or not at all.

    UserError: another suffix, or a place that can't be written.
    """
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise UserError(f"{printable(path)}: expected a name that ends in .png or .svg")
    figure = _figure(curves, view, title)
    try:
        with warnings.catch_warnings():
            # A name in a script that the font lacks is drawn as boxes; nothing else suffers.
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            write_atomically(path, lambda file: figure.savefig(file, format=suffix[1:]))
    except OSError as error:
        raise UserError(f"{printable(path)}: can't be written: {error.strerror}") from error


def _figure(curves: Sequence[Curve], view: View, title: str) -> Any:
    from matplotlib.figure import Figure  # half a second, for those who ask for a file

    figure = Figure(figsize=(8, 4.5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    handles = []
    for line in [line for curve in curves for line in lines_of(curve, view)]:
        x, y = line.x, line.y
        if view.x_range is not None:  # so that y is scaled to what is seen
            x, y = within(x, y, view.x_range)
        handle = _drawn(axes, x, y, line.role, marked=line.marked)
        if line.marked:
            handles.append(handle)
    for at, label in view.marks:
        axes.axvline(at, color="0.5", linewidth=0.8, linestyle=":")
        axes.annotate(
            _literal(label),
            (at, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, -10),
            textcoords="offset points",
            color="0.4",
            fontsize="small",
        )
    if view.log_y:
        axes.set_yscale("log")
    if view.x_range is not None:
        axes.set_xlim(view.x_range)
    if view.y_range is not None:
        axes.set_ylim(view.y_range)
    axes.set(xlabel=_literal(view.x_label), ylabel=_literal(view.y_label), title=_literal(title))
    axes.grid(color="0.92", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    if handles:
        axes.legend(handles, [_literal(curve.label) for curve in curves], frameon=False)
    return figure


def _drawn(axes: Any, x: Any, y: Any, role: int, *, marked: bool) -> Any:
    style = role % STYLES
    red, green, blue = curve_rgb(style, dark=False) or (40, 40, 40)
    apart = max(len(x) // 10, 1)
    (handle,) = axes.plot(
        x,
        y,
        color=(red / 255, green / 255, blue / 255),
        alpha=0.35 if role >= FADED else 1.0,
        linewidth=1.6 if marked else 0.8,
        linestyle=_DASHES[style],
        marker=_MARKERS[style] if marked else "None",
        markersize=5,
        markerfacecolor="white" if style % COLOURS >= COLOURS // 2 else None,
        markevery=(style * apart // STYLES, apart) if np.isfinite(y).sum() > 1 else None,
    )
    return handle


def _literal(text: str) -> str:
    """Return text that matplotlib shows as it is: no formula, no label that it would hide."""
    shown = printable(text).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown

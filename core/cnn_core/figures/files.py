"""Figures of matplotlib as bytes: the same figure always gives the same ones."""

import io
import warnings
from typing import Any

from cnn_core.errors import printable


def new_figure(width: float, height: float, dpi: int = 150) -> Any:
    """Return an empty figure of that many inches."""
    from matplotlib.figure import Figure  # half a second, for those who ask for a file

    return Figure(figsize=(width, height), dpi=dpi, layout="constrained")


def figure_bytes(figure: Any, kind: str, *, text: bool = False, **options: Any) -> bytes:
    """Return the figure as a file of that kind, "png" or "svg"; ``options`` are savefig's.

    ``text`` leaves letters in an SVG to whoever shows it; they are outlines otherwise.
    """
    import matplotlib

    # Without a salt the ids inside an SVG are drawn by lot; the date is that of writing.
    settings: Any = {"svg.hashsalt": "cnn-tui", "svg.fonttype": "none" if text else "path"}
    metadata = {"Date": None} if kind == "svg" else {}
    file = io.BytesIO()
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; nothing else suffers.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(file, format=kind, metadata=metadata, **options)
    return file.getvalue()


def literal(text: str) -> str:
    """Return text that matplotlib shows as it is: no formula, no label that it would hide."""
    shown = printable(text).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown

"""Whether the terminal shows true pictures, asked before the app runs."""

import os
from collections.abc import Mapping
from typing import Any

from cnn_tui.terminal import over_ssh

# Terminals that speak Kitty's protocol or Sixel, by TERM and by TERM_PROGRAM.
_TERMS = ("xterm-kitty", "xterm-ghostty", "foot", "wezterm")
_PROGRAMS = ("kitty", "ghostty", "wezterm", "iterm.app")

_widget: type[Any] | None = None


def detect_graphics(*, force: bool = False, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether pictures can be shown as such from now on; call it before ``App.run()``.

    The terminal is asked by escape sequences, whose answers would be keys to a running app, and
    to the shell where they come late: so only terminals known to answer are asked, none over SSH,
    unless ``force`` says so.
    """
    global _widget
    if not force and (over_ssh(environ) or not _known(environ)):
        return False
    # Importing it asks.
    from textual_image.renderable import Image, SixelImage, TGPImage
    from textual_image.widget import Image as ImageWidget

    if Image in (SixelImage, TGPImage):
        _widget = ImageWidget
    return _widget is not None


def picture_widget() -> type[Any] | None:
    """Return the widget that shows a Pillow image, its attribute ``image``, by a protocol."""
    return _widget


def _known(environ: Mapping[str, str]) -> bool:
    return environ.get("TERM", "") in _TERMS or environ.get("TERM_PROGRAM", "").lower() in _PROGRAMS

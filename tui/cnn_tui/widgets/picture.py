"""Images with captions, in cells or as true pictures where the terminal has them."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Label

from cnn_core.errors import printable
from cnn_tui.widgets.graphics import picture_widget
from cnn_tui.widgets.half_blocks import HalfBlocks, fitted

Pixels = NDArray[np.uint8]


class Picture(Widget):
    """An image as large as the widget allows, its aspect kept, and a caption below."""

    DEFAULT_CSS = """
    Picture {
        width: 1fr;
        height: 1fr;
        layout: vertical;
    }
    Picture > Label {
        width: 100%;
        height: 1;
        color: $text-muted;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """

    def __init__(
        self,
        image_HWC: Pixels | None = None,
        caption: str = "",
        *,
        graphics: Literal["auto", "cells"] = "auto",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        made = picture_widget() if graphics == "auto" else None
        self._canvas: Any = (made or HalfBlocks)()
        self._caption = Label(markup=False)
        self.show(image_HWC, caption)

    def compose(self) -> ComposeResult:
        """Put the caption below the image."""
        yield self._canvas
        yield self._caption

    def show(self, image_HWC: Pixels | None, caption: str = "") -> None:
        """Show an image, uint8 with 1 or 3 channels (or none: height, width); None clears."""
        self._canvas.image = None if image_HWC is None else _pillow(image_HWC)
        self._caption.update(printable(caption))
        self._caption.display = bool(caption)
        self._fit()

    def on_resize(self) -> None:
        """Fill the new size."""
        self._fit()

    def _fit(self) -> None:
        image = self._canvas.image
        rows = self.size.height - int(self._caption.display)
        self._canvas.display = image is not None and self.size.width > 0 and rows > 0
        if self._canvas.display:
            columns, rows = fitted(image.size, self.size.width, rows)
            self._canvas.styles.width, self._canvas.styles.height = columns, rows


def _pillow(image_HWC: Pixels) -> Image.Image:
    if image_HWC.ndim == 3 and image_HWC.shape[2] == 1:
        image_HWC = image_HWC[:, :, 0]
    return Image.fromarray(np.ascontiguousarray(image_HWC))

"""Stub until merged."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.color import Color
from rich.style import Style
from rich.text import Text
from textual.widgets import Static

from cnn_tui.output import literal


class PictureGrid(Static):
    def show(self, pictures: Sequence[tuple[NDArray[np.uint8], str]]) -> None:
        lines: list[Text] = []
        for row in range(0, len(pictures), 4):
            for y in range(6):
                line = Text()
                for image_HWC, _ in pictures[row : row + 4]:
                    small = np.asarray(Image.fromarray(image_HWC).resize((12, 12)))
                    for x in range(12):
                        top, low = small[2 * y, x], small[2 * y + 1, x]
                        line.append(
                            "▀", Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*low))
                        )
                    line.append("  ")
                lines.append(line)
            lines.append(literal(pictures[row][1]))
        self.update(Text("\n").join(lines))

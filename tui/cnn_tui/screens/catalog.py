"""The pages that a key opens from the list of runs. A further one is a file and a line here."""

import dataclasses
import importlib
from typing import cast

from cnn_tui.screens.page import Page


@dataclasses.dataclass(frozen=True, slots=True)
class Opener:
    """How a page is opened; it is made without arguments."""

    key: str
    title: str
    """As it is in the line of keys."""
    tooltip: str
    place: str
    """``module:class``, imported when the page is opened: the app starts without it."""

    def page(self) -> Page:
        """Make the page."""
        module, _, name = self.place.partition(":")
        return cast(Page, getattr(importlib.import_module(module), name)())


PAGES: dict[str, Opener] = {
    "sweeps": Opener("w", "Sweeps", "Searches of values", "cnn_tui.screens.sweeps:SweepsPage"),
    "queue": Opener("q", "Queue", "The runs that wait", "cnn_tui.screens.queue:QueuePage"),
    "surfaces": Opener(
        "f",
        "Surfaces",
        "Optimizers on functions of two variables",
        "cnn_tui.screens.surface:SurfacePage",
    ),
}
"""By their names: ``[keys]`` of the settings knows them as ``runs.show_NAME``."""

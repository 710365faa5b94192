"""What one may change of descents: the surface, its form, the methods and their rates."""

import asyncio
import importlib
from dataclasses import replace
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType

from cnn_core.errors import UserError
from cnn_core.surfaces.descent import method_of
from cnn_core.surfaces.field import GradientKind, default_gradient, field_of
from cnn_core.surfaces.functions import SURFACES
from cnn_core.surfaces.surface import METHODS
from cnn_tui.screens.dialogs import Prompt
from cnn_tui.screens.page import Page
from cnn_tui.screens.pick import Entry, Pick
from cnn_tui.surface_choice import optimizer_of, rates_of
from cnn_tui.surface_race import Entrant, Race
from cnn_tui.widgets.list_table import ListTable
from cnn_tui.widgets.surface_map import SurfaceMap

MOST = 8  # methods: the colours of the palette
_GRIDS = (None, 64, 256)


class SurfaceChoices(Page):
    """The choices; whatever is chosen anew, the paths before are forgotten."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "pick", "Surface", id="surface.pick", tooltip="Choose the function"),
        Binding("n", "next(1)", "Next", id="surface.next", tooltip="Take the next function"),
        Binding(
            "p",
            "next(-1)",
            "Previous",
            show=False,
            id="surface.previous",
            tooltip="Take the function before",
        ),
        *(
            Binding(
                str(place),
                f"switch({place})",
                "Methods" if place == 1 else f"Method {place}",
                show=place == 1,
                key_display=f"1-{MOST}" if place == 1 else None,
                id=f"surface.method_{place}",
                tooltip=f"Switch method {place} on or off",
            )
            for place in range(1, MOST + 1)
        ),
        Binding("o", "add", "Optimizer", id="surface.add", tooltip="Add one of torch.optim"),
        Binding("l", "rate", "Rates", id="surface.rate", tooltip="Set learning rates"),
        Binding("i", "image", "Image", id="surface.image", tooltip="Function, 64 or 256 pixels"),
        Binding("g", "gradient", "Gradient", id="surface.gradient", tooltip="Autograd or numeric"),
        Binding("r", "reset", "Reset", id="surface.reset", tooltip="The usual start, no paths"),
    ]

    def __init__(self, name: str = "beale") -> None:
        super().__init__()
        self.surface = SURFACES[name]
        self.start = self.surface.start
        self.entrants = [Entrant(method, style) for style, method in enumerate(METHODS)]
        self.off: set[str] = set()
        self.grid: int | None = None
        self.gradient: GradientKind = default_gradient(None)

    def restart(self) -> None:
        """Show what is chosen, without paths; to be overridden."""
        raise NotImplementedError

    def chosen(self) -> Race:
        """Return the descents that are asked for."""
        asked = [one for one in self.entrants if one.name not in self.off]
        return Race(self.surface, self.start, asked, grid=self.grid, gradient=self.gradient)

    def _take(self, name: str) -> None:
        self.surface = SURFACES[name]
        # A rate that suited the surface before says nothing of this one.
        self.entrants = [replace(one, lr=None) for one in self.entrants]
        self.action_reset()

    def action_next(self, ahead: int) -> None:
        """Take another surface, in the order in which they are listed."""
        names = list(SURFACES)
        self._take(names[(names.index(self.surface.name) + ahead) % len(names)])

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_pick(self) -> None:
        """Choose a surface from the list."""
        entries = [Entry(one.name, one.title, also=one.source) for one in SURFACES.values()]
        name = await self.app.push_screen_wait(
            Pick("Descend which surface?", entries, current=self.surface.name)
        )
        if name is not None:
            self._take(name)

    def action_reset(self) -> None:
        """Return to the usual start."""
        self.start = self.surface.start
        self.restart()

    @on(SurfaceMap.Moved)
    def _moved(self, event: SurfaceMap.Moved) -> None:
        self.start = event.x, event.y
        self.restart()

    def action_switch(self, place: int) -> None:
        """Switch a method on or off."""
        if place <= len(self.entrants):
            self._toggle(self.entrants[place - 1].name)

    @on(ListTable.Opened)
    def _opened(self, event: ListTable.Opened) -> None:
        self._toggle(event.key)

    def _toggle(self, name: str) -> None:
        self.off ^= {name}
        self.restart()

    def action_image(self) -> None:
        """Descend on the function or on an image of it."""
        self.grid = _GRIDS[(_GRIDS.index(self.grid) + 1) % len(_GRIDS)]
        self.gradient = default_gradient(self.grid)
        self.restart()

    def action_gradient(self) -> None:
        """Take the other way to a gradient."""
        self.gradient = "numeric" if self.gradient == "autograd" else "autograd"
        self.restart()

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_rate(self) -> None:
        """Ask for learning rates; none are those that suit the surface."""
        names = [one.name for one in self.entrants]
        given = " ".join(f"{one.name}={one.lr:g}" for one in self.entrants if one.lr is not None)
        answer = await self.app.push_screen_wait(
            Prompt(
                "Learning rates",
                given,
                text="RATE for all, METHOD=RATE for one; nothing for those that suit",
                check=lambda text: rates_of(text.split(), names),
            )
        )
        if answer is not None:
            rates = rates_of(answer.split(), names)
            self.entrants = [replace(one, lr=rates.get(one.name)) for one in self.entrants]
            self.restart()

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_add(self) -> None:
        """Ask for a further optimizer."""
        if len(self.entrants) == MOST:
            self.tell_error(f"{MOST} methods are all that there are colours for")
            return
        await asyncio.to_thread(importlib.import_module, "torch")  # which checks the answer
        answer = await self.app.push_screen_wait(
            Prompt(
                "Another optimizer",
                text="its name in torch.optim and options, such as rmsprop lr=0.01 alpha=0.9",
                check=self._entrant,
            )
        )
        if answer is not None:
            self.entrants.append(self._entrant(answer))
            self.restart()

    def _entrant(self, text: str) -> Entrant:
        """Return the method that a text asks for; UserError where there is none like that."""
        name, options = optimizer_of(text)
        if name in {one.name for one in self.entrants}:
            raise UserError(f"{name} is there already")
        made = method_of(name, self.surface, field_of(self.surface, self.grid), options=options)
        return Entrant(name, len(self.entrants), made.lr, made.options)

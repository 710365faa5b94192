"""A value out of a few, on one line."""

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from cnn_tui.output import literal

SWITCH = ("false", "true")
_SIGNS = {"false": "○ no", "true": "● yes"}


class OneOf(Widget, can_focus=True):
    """Left and right go through the values; enter asks for the list of them, or switches.

    A value that is none of them, such as an older version's, is shown as it is.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "turn(-1)", "Previous value", show=False),
        Binding("right", "turn(1)", "Next value", show=False),
        Binding("enter,space", "open", "All values", show=False),
    ]
    ALLOW_SELECT = False

    value: reactive[str] = reactive("")

    class Changed(Message):
        """Another value was chosen."""

        def __init__(self, one_of: "OneOf", value: str) -> None:
            super().__init__()
            self.one_of, self.value = one_of, value

        @property
        def control(self) -> "OneOf":
            """The widget it came from."""
            return self.one_of

    class Asked(Message):
        """The list of all values is wanted."""

        def __init__(self, one_of: "OneOf") -> None:
            super().__init__()
            self.one_of = one_of

        @property
        def control(self) -> "OneOf":
            """The widget it came from."""
            return self.one_of

    def __init__(self, values: tuple[str, ...], *, value: str = "") -> None:
        super().__init__()
        self.values = values
        self.set_reactive(OneOf.value, value)

    def render(self) -> RenderResult:
        """Show the value between arrows, or a switch's sign."""
        if self.values == SWITCH:
            return Text(_SIGNS.get(self.value) or literal(self.value).plain)
        shown = literal(self.value) if self.value else Text("choose one", "italic")
        shown.no_wrap = True
        return Text.assemble("‹ ", shown, " ›")

    def choose(self, value: str) -> None:
        """Take a value and tell of it."""
        if value != self.value:
            self.value = value
            self.post_message(self.Changed(self, value))

    def action_turn(self, by: int) -> None:
        """Take the next or the previous value; after the last comes the first."""
        if self.value in self.values:
            at = self.values.index(self.value) + by
        else:
            at = 0 if by > 0 else -1
        self.choose(self.values[at % len(self.values)])

    def action_open(self) -> None:
        """Ask for the list, where there are more than two."""
        if self.values == SWITCH:
            self.action_turn(1)
        else:
            self.post_message(self.Asked(self))

    def on_click(self, event: events.Click) -> None:
        """Let an arrow turn, and all else open."""
        if self.values != SWITCH and event.x <= 1:
            self.action_turn(-1)
        elif self.values != SWITCH and event.x == len(self.value) + 3:
            self.action_turn(1)
        else:
            self.action_open()

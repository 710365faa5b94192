"""The line in which one writes which runs to show."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class FilterLine(Input):
    """Hidden until it is opened; every change of the text is told by ``Input.Changed``."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Undo", id="filter.cancel", tooltip="As it was before"),
        Binding("enter", "accept", "Keep", id="filter.keep", tooltip="Back to the runs"),
        Binding("down", "accept", "Keep", show=False, id="filter.down"),
        Binding("ctrl+u", "empty", "Clear", id="filter.clear", tooltip="Show all runs"),
    ]

    class Closed(Message):
        """The text is as the user wants it."""

    def __init__(self) -> None:
        super().__init__(
            placeholder='words to look for, or: best.val_acc > 0.8 and dataset == "digits"',
            compact=True,
            select_on_focus=False,
        )
        self._before = ""
        self.display = self.can_focus = False

    def open(self, text: str) -> None:
        """Begin with this text, to which ``escape`` returns."""
        self._before = text
        with self.prevent(Input.Changed):
            self.value = text
        self.display = self.can_focus = True
        self.focus()

    def action_cancel(self) -> None:
        """Close with the text that was there before."""
        self.value = self._before
        self.action_accept()

    def action_accept(self) -> None:
        """Close with the text as it is."""
        self.display = self.can_focus = False
        self.post_message(self.Closed())

    def action_empty(self) -> None:
        """Remove the text."""
        self.value = ""

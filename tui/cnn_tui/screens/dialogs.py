"""Small windows that ask: one of several choices, a line of text, a typed confirmation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from cnn_core.errors import CnnTuiError
from cnn_tui.output import literal, literal_lines, sentence
from cnn_tui.screens.page import Dialog


@dataclass(frozen=True, slots=True)
class Choice:
    """An answer: what ``ask`` returns, the key that picks it, and what it says."""

    value: str
    key: str
    text: str


class Ask(Dialog):
    """Returns the value of the choice picked by its key, by arrows and enter, or by the mouse."""

    def __init__(self, title: str, text: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._title, self._text, self._choices = title, text, choices

    def compose(self) -> ComposeResult:
        """Show the question above the choices."""
        options = [
            Option(literal(f"{choice.key}  {choice.text}"), id=choice.value)
            for choice in self._choices
        ]
        with Vertical(classes="dialog"):
            yield Static(literal(self._title), classes="dialog-title")
            if self._text:
                yield Static(literal_lines(self._text), classes="dialog-text")
            yield OptionList(*options)

    def on_mount(self) -> None:
        """Bind the choices' keys."""
        for choice in self._choices:
            self._bindings.bind(choice.key, f"pick('{choice.value}')", show=False)
        self.query_one(OptionList).focus()

    def action_pick(self, value: str) -> None:
        """Answer with this choice."""
        self.dismiss(value)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer with the choice selected."""
        self.dismiss(event.option_id)


class Prompt(Dialog):
    """Returns a line of text that ``check`` accepts; what it raises is shown below the line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "Accept", id="dialog.accept"),
    ]

    def __init__(
        self,
        title: str,
        value: str = "",
        *,
        text: str = "",
        check: Callable[[str], object] = lambda _: None,
    ) -> None:
        super().__init__()
        self._title, self._value, self._text, self._check = title, value, text, check

    def compose(self) -> ComposeResult:
        """Show the line between what is asked and what is wrong with it."""
        with Vertical(classes="dialog"):
            yield Static(literal(self._title), classes="dialog-title")
            if self._text:
                yield Static(literal_lines(self._text), classes="dialog-text")
            yield Input(self._value)
            yield Static("", classes="dialog-error")

    def on_mount(self) -> None:
        """Write at once."""
        self.query_one(Input).focus()

    def on_input_submitted(self) -> None:
        """Accept by enter."""
        self.action_accept()

    def action_accept(self) -> None:
        """Answer, unless the text is refused."""
        value = self.query_one(Input).value
        try:
            self._check(value)
        except (CnnTuiError, OSError) as error:  # a path too long to be looked at, say
            self.query_one(".dialog-error", Static).update(literal(sentence(error)))
            return
        self.dismiss(value)

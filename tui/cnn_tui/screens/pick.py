"""Windows with a list to pick from, each entry with a line about it."""

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from cnn_tui.catalog import PresetLine
from cnn_tui.form import read_source
from cnn_tui.output import literal
from cnn_tui.screens.dialogs import Prompt
from cnn_tui.screens.page import Dialog


class Pick(Dialog):
    """Returns the value picked, None if none; ``entries`` are values with lines about them."""

    def __init__(
        self, title: str, entries: Sequence[tuple[str, str]], *, current: str = ""
    ) -> None:
        super().__init__()
        self._title, self._entries = title, entries
        self._current = current

    def compose(self) -> ComposeResult:
        """Show names in one column, and what is about them beside."""
        width = max((len(value) for value, _ in self._entries), default=0)
        with Vertical(classes="dialog"):
            yield Static(literal(self._title), classes="dialog-title")
            yield OptionList(
                *(
                    Option(_line(value, about, width if about else 0))
                    for value, about in self._entries
                )
            )

    def on_mount(self) -> None:
        """Begin at the present value."""
        options = self.query_one(OptionList)
        values = [value for value, _ in self._entries]
        options.highlighted = values.index(self._current) if self._current in values else 0
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer."""
        self.pick(event.option_index)

    def pick(self, at: int) -> None:
        """Answer with the value of an entry."""
        self.dismiss(self._entries[at][0])


class PickPreset(Pick):
    """Returns the reference of a preset; the last entry asks for a path."""

    _OTHER = "another file…"

    def __init__(self, presets: Sequence[PresetLine]) -> None:
        datasets = max((len(line.dataset) for line in presets), default=0)
        backbones = max((len(line.backbone) for line in presets), default=0)
        entries = [
            (
                line.reference,
                f"{line.dataset:{datasets}}  {line.backbone:{backbones}}  {line.notes}",
            )
            for line in presets
        ]
        super().__init__("Start from a preset", [*entries, (self._OTHER, "")])

    def pick(self, at: int) -> None:
        """Answer, or ask for the path."""
        if at < len(self._entries) - 1:
            super().pick(at)
        elif self.is_active:  # a second enter may come before the window it opens has the keys
            self.app.push_screen(Prompt("Path of a preset", check=read_source), self._answer)

    def _answer(self, path: str | None) -> None:
        if path is not None:
            self.dismiss(path)


def _line(value: str, about: str, width: int) -> Text:
    line = Text.assemble((literal(value).plain.ljust(width), "bold"))
    if about:
        line.append("  ").append_text(literal(about))
    line.no_wrap, line.overflow = True, "ellipsis"
    return line

"""Windows with a list to pick from, each entry with a line about it; long lists have a filter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from cnn_tui.catalog import PresetLine
from cnn_tui.form import read_source
from cnn_tui.output import literal
from cnn_tui.screens.dialogs import Prompt
from cnn_tui.screens.page import Dialog

# Lists up to this length are seen as a whole.
_AT_A_GLANCE = 12


@dataclass(frozen=True, slots=True)
class Entry:
    """A value to pick, what is about it, and the heading that it stands under, if any."""

    value: str
    about: str = ""
    heading: str = ""
    also: str = ""
    """Further words by which it is found."""

    def holds(self, words: Sequence[str]) -> bool:
        """Return whether all words, in lower case, are found in it."""
        text = f"{self.heading}\n{self.value}\n{self.about}\n{self.also}".casefold()
        return all(word in text for word in words)


class Pick(Dialog):
    """Returns the value picked, None if none; words typed above a long list leave those like it.

    Entries of one heading are expected to follow each other.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move('cursor_up')", "Up", show=False, id="pick.up"),
        Binding("down", "move('cursor_down')", "Down", show=False, id="pick.down"),
        Binding("pageup", "move('page_up')", "Page up", show=False, id="pick.page_up"),
        Binding("pagedown", "move('page_down')", "Page down", show=False, id="pick.page_down"),
    ]

    def __init__(self, title: str, entries: Sequence[Entry], *, current: str = "") -> None:
        super().__init__()
        self._title, self._entries = title, entries
        self._current = current
        self._width = max((len(entry.value) for entry in entries), default=0)
        self._long = len(entries) > _AT_A_GLANCE

    def compose(self) -> ComposeResult:
        """Put the list below the words to look for, and above the highlighted line in full."""
        with Vertical(classes="dialog -long" if self._long else "dialog"):
            yield Static(literal(self._title), classes="dialog-title")
            if self._long:
                yield Input(placeholder="words to look for")
            yield OptionList()
            if self._long:
                yield Static(classes="about")

    def on_mount(self) -> None:
        """Begin at the present value."""
        if not self.query(OptionList):
            return  # the app is left while this opens
        self._find("")
        self.query_one(Input if self._long else OptionList).focus()

    def found(self, words: Sequence[str]) -> list[Entry]:
        """Return the entries in which all the words are found."""
        return [entry for entry in self._entries if entry.holds(words)]

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._find(event.value)

    def _find(self, wanted: str) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        heading, first = "", None
        for entry in self.found(wanted.casefold().split()):
            if entry.heading != heading:
                heading = entry.heading
                options.add_option(Option(literal(heading), disabled=True) if heading else None)
            if first is None or entry.value == self._current:
                first = options.option_count
            options.add_option(Option(self._line(entry), id=entry.value))
        options.highlighted = first
        if first is None and self._long:
            self.query_one(".about", Static).update("nothing holds these words")

    def _line(self, entry: Entry) -> Text:
        width = self._width if entry.about else 0
        line = Text.assemble((literal(entry.value).plain.ljust(width), "bold"))
        if entry.about:
            line.append("  ").append_text(literal(entry.about))
        line.no_wrap, line.overflow = True, "ellipsis"
        return line

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if self._long:
            about = next((e.about for e in self._entries if e.value == event.option_id), "")
            self.query_one(".about", Static).update(literal(about))

    def action_move(self, how: str) -> None:
        """Move the highlight of the list while the words have the keys."""
        options = self.query_one(OptionList)
        getattr(options, f"action_{how}")()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.query_one(OptionList).action_select()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        assert event.option_id is not None
        self.pick(event.option_id)

    def pick(self, value: str) -> None:
        """Answer with a value."""
        self.dismiss(value)


class PickOrPath(Pick):
    """Returns the value picked or a path; the last entry, always there, asks for that.

    ``check`` raises what is wrong with a path.
    """

    _OTHER = Entry("another file…")

    def __init__(
        self, title: str, entries: Sequence[Entry], asked: str, check: Callable[[str], object]
    ) -> None:
        super().__init__(title, entries)
        self._long = True  # what is about its entries is
        self._asked, self._check = asked, check

    def found(self, words: Sequence[str]) -> list[Entry]:
        """Return the entries in which all the words are found, and the way to a file."""
        return [*super().found(words), self._OTHER]

    def pick(self, value: str) -> None:
        """Answer, or ask for the path."""
        if value != self._OTHER.value:
            super().pick(value)
        elif self.is_active:  # a second enter may come before the window it opens has the keys
            self.app.push_screen(Prompt(self._asked, check=self._check), self._answer)

    def _answer(self, path: str | None) -> None:
        if path is not None:
            self.dismiss(path)


class PickPreset(PickOrPath):
    """Returns the reference of a preset."""

    def __init__(self, presets: Sequence[PresetLine]) -> None:
        entries = [Entry(p.reference, p.notes, p.dataset, also=p.backbone) for p in presets]
        super().__init__("Start from a preset", entries, "Path of a preset", read_source)

"""What the page of runs asks: by what to sort, and the text of a note."""

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from cnn_core.errors import UserError
from cnn_tui.output import literal
from cnn_tui.run_choice import sorted_by
from cnn_tui.screens.page import Dialog
from cnn_tui.widgets.run_columns import COLUMNS

_SORTABLE = {column.key: column.title for column in COLUMNS if column.title}


class SortRuns(Dialog):
    """Returns sort keys: a column picked from the list, or what was written and ``check`` takes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Other part", show=False, id="sort.other"),
    ]

    def __init__(self, sort: str, check: Callable[[str], object]) -> None:
        super().__init__()
        self._sort, self._check = sort, check

    def compose(self) -> ComposeResult:
        """Show the columns above the line of keys."""
        first = self._sort.split(",")[0].strip()
        with Vertical(classes="dialog"):
            yield Static("Sort the runs by", classes="dialog-title")
            yield OptionList(*(self._option(key, first) for key in _SORTABLE))
            yield Static(
                "or by keys, - for the largest first, such as -best.val_acc,name",
                classes="dialog-text muted",
            )
            yield Input(self._sort)
            yield Static("", classes="dialog-error")

    def on_mount(self) -> None:
        """Begin at the present column."""
        options = self.query_one(OptionList)
        key = self._sort.split(",")[0].strip().removeprefix("-")
        options.highlighted = [*_SORTABLE].index(key) if key in _SORTABLE else 0
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Sort by this column, or the other way round."""
        self.dismiss(sorted_by(self._sort, str(event.option_id)))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell at once what is wrong."""
        self.query_one(".dialog-error", Static).update(literal(self._mistake(event.value) or ""))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Sort by the keys, unless they are refused."""
        if self._mistake(event.value) is None:
            self.dismiss(event.value.strip())

    def _mistake(self, keys: str) -> str | None:
        try:
            self._check(keys.strip())
        except UserError as error:
            return str(error)
        return None

    @staticmethod
    def _option(key: str, first: str) -> Option:
        turned = {key: "↑ now", f"-{key}": "↓ now"}.get(first, "")
        return Option(Text.assemble(_SORTABLE[key].ljust(16), (turned, "bold")), id=key)


class NoteEditor(Dialog):
    """Returns text of several lines; ``ctrl+s`` keeps it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "keep", "Keep", id="note.keep"),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """Show the text as large as the screen allows."""
        with Vertical(classes="dialog note"):
            yield Static(literal(self._title), classes="dialog-title")
            yield TextArea(self._text, compact=True)
            yield Static("ctrl+s keeps it, esc leaves it as it was", classes="muted")

    def on_mount(self) -> None:
        """Write on at the end."""
        editor = self.query_one(TextArea)
        editor.focus()
        editor.move_cursor(editor.document.end)

    def action_keep(self) -> None:
        """Return the text."""
        self.dismiss(self.query_one(TextArea).text)

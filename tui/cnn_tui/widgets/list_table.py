"""A table of text that is shown as a whole again and again, and draws only what differs."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import DataTable

Columns = Sequence[tuple[str, Text]]


class ListTable(DataTable[Text]):
    """Rows by keys; enter and a double click open one, a click tells its row and column."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("g", "scroll_top", "Top", show=False),
        Binding("G", "scroll_bottom", "Bottom", show=False),
    ]

    class Opened(Message):
        """A row was opened by enter or a double click."""

        def __init__(self, table: "ListTable", key: str) -> None:
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> "ListTable":
            """The table, for selectors of ``on``."""
            return self.table

    class Clicked(Message):
        """A cell was clicked once."""

        def __init__(self, table: "ListTable", key: str, column: str) -> None:
            super().__init__()
            self.table, self.key, self.column = table, key, column

        @property
        def control(self) -> "ListTable":
            """The table, for selectors of ``on``."""
            return self.table

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(cursor_type="row", id=id, classes=classes)
        self._shown_columns: list[tuple[str, Text]] = []
        self._shown_rows: dict[str, list[Text]] = {}
        self._added: list[str] = []  # keys of its rows, in the order in which they came

    @property
    def key(self) -> str | None:
        """The key of the row under the cursor."""
        keys = list(self._shown_rows)
        return keys[self.cursor_row] if 0 <= self.cursor_row < len(keys) else None

    def show(self, columns: Columns, rows: Mapping[str, Sequence[Text]]) -> None:
        """Show these rows; the cursor stays on its row, or where that was."""
        wanted = {key: list(cells) for key, cells in rows.items()}
        if list(columns) != self._shown_columns or not self._shown_rows.keys() <= wanted.keys():
            self._show_anew(list(columns), wanted)
            return
        for key, before in self._shown_rows.items():
            for (column, _), cell, shown in zip(columns, wanted[key], before, strict=True):
                if cell != shown or cell.style != shown.style:
                    self.update_cell(key, column, cell, update_width=True)
        if list(wanted) != list(self._shown_rows):
            self._add(wanted)
        self._shown_rows = wanted

    def _add(self, rows: dict[str, list[Text]]) -> None:
        """Add the rows that are new, and bring all into their order: the others stay measured."""
        cursor, places = self.key, {key: place for place, key in enumerate(rows)}
        for key in rows.keys() - self._shown_rows.keys():
            self.add_row(*rows[key], key=key)
            self._added.append(key)
        order = iter([places[key] for key in self._added])
        self.sort(key=lambda _: next(order))  # asked once for each row, as they were added
        if cursor is not None:
            self.move_cursor(row=places[cursor], scroll=False)

    def _show_anew(self, columns: list[tuple[str, Text]], rows: dict[str, list[Text]]) -> None:
        key, row, scroll_y = self.key, self.cursor_row, self.scroll_y
        self.clear(columns=True)  # so that the columns are as wide as these rows need
        for column, label in columns:
            self.add_column(label, key=column)
        for row_key, cells in rows.items():
            self.add_row(*cells, key=row_key)
        self._shown_columns, self._shown_rows, self._added = columns, rows, list(rows)
        if rows:
            self.move_cursor(row=list(rows).index(key) if key in rows else row, scroll=False)
            self.scroll_to(y=scroll_y, animate=False)

    def action_select_cursor(self) -> None:
        """Open the row by enter."""
        if self.key is not None:
            self.post_message(self.Opened(self, self.key))

    async def _on_click(self, event: events.Click) -> None:
        await super()._on_click(event)
        event.prevent_default()  # the base class's own would run again
        row, column = event.style.meta.get("row", -1), event.style.meta.get("column", -1)
        keys = list(self._shown_rows)
        if not (0 <= row < len(keys) and 0 <= column < len(self._shown_columns)):
            return
        if event.chain == 2:
            self.post_message(self.Opened(self, keys[row]))
        elif event.chain == 1:
            self.post_message(self.Clicked(self, keys[row], self._shown_columns[column][0]))

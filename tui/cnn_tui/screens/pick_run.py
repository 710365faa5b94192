"""A dialog that picks one of the stored runs."""

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from cnn_core.errors import CnnTuiError
from cnn_core.runs.index import Row, run_rows
from cnn_tui.output import literal, percent
from cnn_tui.run_choice import choose_rows
from cnn_tui.screens.page import Dialog
from cnn_tui.status import STATUS_SIGNS
from cnn_tui.widgets.list_table import ListTable

_COLUMNS = [
    (key, Text(title))
    for key, title in (
        ("name", "run"),
        ("status", "status"),
        ("val", "val acc"),
        ("dataset", "data set"),
        ("backbone", "backbone"),
        ("id", "id"),
    )
]


class PickRun(Dialog):
    """Returns the folder of a run, or None; words typed above find runs as on the first page."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "to_list", "To the list", show=False, id="pick.list"),
    ]

    def __init__(self, title: str, runs_dir: Path, *, without: Collection[str] = ()) -> None:
        super().__init__()
        self._title, self._runs_dir, self._without = title, runs_dir, without
        self._rows: list[Row] = []

    def compose(self) -> ComposeResult:
        """Put the words to look for above the list."""
        with Vertical(classes="dialog pick"):
            yield Static(literal(self._title), classes="dialog-title")
            yield Input(placeholder="words of its name, or best.val_acc > 0.8")
            yield Static("reading…", classes="dialog-error")
            yield ListTable()

    async def on_mount(self) -> None:
        """Read the runs."""
        self.query_one(Input).focus()
        try:
            rows = await asyncio.to_thread(run_rows, self._runs_dir)
        except CnnTuiError as error:
            self._say(str(error))
            return
        self._rows = [row for row in rows if row["id"] not in self._without]
        self._find("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._find(event.value)

    def _find(self, wanted: str) -> None:
        try:
            found = choose_rows(self._rows, wanted, "-created")
        except CnnTuiError as error:  # half an expression: the list stays
            self._say(str(error))
            return
        self._say("" if found else "no run matches" if self._rows else "no other run")
        self.query_one(ListTable).show(_COLUMNS, {row["id"]: _cells(row) for row in found})

    def _say(self, text: str) -> None:
        self.query_one(".dialog-error", Static).update(literal(text))

    def action_to_list(self) -> None:
        """Go down into the list."""
        self.query_one(ListTable).focus()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        key = self.query_one(ListTable).key
        if key is not None:
            self.dismiss(self._runs_dir / key)

    @on(ListTable.Opened)
    def _opened(self, event: ListTable.Opened) -> None:
        self.dismiss(self._runs_dir / event.key)


def _cells(row: Row) -> list[Text]:
    cells = [literal(row["name"]), Text(f"{STATUS_SIGNS[row['status']]} {row['status']}")]
    cells += [literal(percent(row["best"]["val_acc"]))]
    cells += [literal(row[key]) for key in ("dataset", "backbone", "id")]
    cells[0].truncate(28, overflow="ellipsis")
    return cells

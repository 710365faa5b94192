"""The first page: all runs."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import DataTable

from cnn_tui.output import literal
from cnn_tui.screens.page import Page
from cnn_tui.widgets.title_bar import TitleBar


class RunsPage(Page):
    """The runs of the folder, newest first."""

    HELP_TEXT = "All runs of the runs folder."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "New", id="runs.new", tooltip="A new experiment"),
        Binding("enter", "open", "Open", id="runs.open", tooltip="Show the run live"),
    ]

    def compose_page(self) -> Iterable[Widget]:
        """Show the table."""
        yield DataTable(cursor_type="row")

    def on_mount(self) -> None:
        """Fill the table."""
        self.query_one(TitleBar).page = "Runs"
        table = self.query_one(DataTable)
        table.add_columns("run", "status")
        from cnn_core.runs.index import run_rows

        for row in run_rows(self.cnn_app.workplace.runs_dir):
            table.add_row(literal(row["id"]), literal(row["status"]), key=row["id"])
        table.focus()

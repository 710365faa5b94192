"""Panes about predictions: figures of the classes, confusion matrix."""

from dataclasses import dataclass
from typing import Any, ClassVar

from rich.console import JustifyMethod
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import DataTable, Static

from cnn_tui.inspect_text import calibration_text, cell_text, head_text
from cnn_tui.inspection import Inspection
from cnn_tui.inspection_parts import Judged, Pair
from cnn_tui.output import literal, percent
from cnn_tui.widgets.confusion import ConfusionMatrix
from cnn_tui.widgets.list_table import ListTable
from cnn_tui.widgets.preview_panes import Pane

_LONGEST_NAME = 26
_COLUMNS = {
    "class": "class",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "support": "images",
    "confusion": "most taken for",
}
_FALLING = ("support", "confusion")
_JUSTIFY: dict[str, JustifyMethod] = dict.fromkeys(
    ("precision", "recall", "f1", "support"), "right"
)


class InspectPane(Pane):
    """A pane that brings what it shows; ``NEEDS`` are its questions, by their first word."""

    NEEDS: ClassVar[tuple[str, ...]] = ()

    class Stale(Message):
        """Something else is to be brought."""

    @dataclass
    class PairWanted(Message):
        """A cell of the confusion matrix is to be seen, or its images."""

        pair: Pair
        images: bool

    async def bring(self, inspection: Inspection) -> None:
        """Ask for what is to be shown and show it; to be overridden. CnnTuiError: why not."""
        raise NotImplementedError

    def target(self) -> Widget:
        """Return what takes the keys."""
        return self

    def leave(self) -> bool:
        """Return to what was shown here before; False where there is nothing."""
        return False


class ScoresPane(InspectPane):
    """Figures of all images, of each class and of each confidence."""

    NEEDS = ("judged",)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "order", "Order", id="scores.order", tooltip="Sort by the next column"),
    ]

    def __init__(self) -> None:
        super().__init__("Classes", "classes")
        self._order, self._falling = "f1", False
        self._judged: Judged | None = None
        self._taken: dict[int, tuple[int, int]] = {}

    def compose_content(self) -> ComposeResult:
        """Put the classes beside the confidences, or above them."""
        with Horizontal():
            yield ListTable(id="class-table")
            yield Static(id="bins")
        yield Static(id="bins-brief")

    def target(self) -> Widget:
        """Return the table."""
        return self.query_one(ListTable)

    async def bring(self, inspection: Inspection) -> None:
        """Show the figures."""
        judged = await inspection.judged()
        self._tell(head_text(judged))
        if judged is not self._judged:
            self._judged, self._taken = judged, _taken_for(judged)
            self.query_one("#bins", Static).update(calibration_text(judged.scores, brief=False))
            self.query_one("#bins-brief", Static).update(
                calibration_text(judged.scores, brief=True)
            )
            self._show_classes(judged)

    def action_order(self) -> None:
        """Sort by the next column."""
        columns = list(_COLUMNS)
        self._sort(columns[(columns.index(self._order) + 1) % len(columns)])

    @on(DataTable.HeaderSelected)
    def _header(self, event: DataTable.HeaderSelected) -> None:
        self._sort(str(event.column_key.value))

    @on(ListTable.Opened)
    def _opened(self, event: ListTable.Opened) -> None:
        if self._judged is not None:
            label = int(event.key)
            other = self._taken[label][0] if label in self._taken else label
            self.post_message(self.PairWanted((label, other), images=False))

    def _sort(self, column: str) -> None:
        self._falling = not self._falling if column == self._order else column in _FALLING
        self._order = column
        if self._judged is not None:
            self._show_classes(self._judged)

    def _show_classes(self, judged: Judged) -> None:
        scores = judged.scores
        rows: list[tuple[Any, int]] = []
        for label, one in enumerate(scores.classes):
            taken = self._taken[label][1] if label in self._taken else 0
            values = (one.name.casefold(), one.precision, one.recall, one.f1, one.support, taken)
            rows.append((dict(zip(_COLUMNS, values, strict=True))[self._order], label))
        rows.sort(key=lambda row: row[0], reverse=self._falling)  # equal ones stay as they are
        arrow = "↓" if self._falling else "↑"
        columns = [
            (key, Text(title + (arrow if key == self._order else ""), justify=_JUSTIFY.get(key)))
            for key, title in _COLUMNS.items()
        ]
        self.query_one(ListTable).show(
            columns, {str(label): self._cells(judged, label) for _, label in rows}
        )

    def _cells(self, judged: Judged, label: int) -> list[Text]:
        scores = judged.scores
        one = scores.classes[label]
        figures = [*map(percent, (one.precision, one.recall, one.f1)), f"{one.support:,}"]
        taken = Text("–", "dim")
        if label in self._taken:
            other, images = self._taken[label]
            taken = Text.assemble((f"{images:>3,} ", "bold"), _name(scores.classes[other].name))
        return [
            _name(one.name),
            *(Text(figure or "–", justify="right") for figure in figures),
            taken,
        ]


class ConfusionPane(InspectPane):
    """The confusion matrix, and its cell under the cursor in words."""

    NEEDS = ("judged",)

    def __init__(self) -> None:
        super().__init__("Confusion", "confusion")
        self._judged: Judged | None = None
        self._wanted: Pair | None = None

    def compose_content(self) -> ComposeResult:
        """Show the matrix."""
        yield ConfusionMatrix()

    def target(self) -> Widget:
        """Return the matrix."""
        return self.query_one(ConfusionMatrix)

    async def bring(self, inspection: Inspection) -> None:
        """Show the counts."""
        judged = await inspection.judged()
        matrix = self.query_one(ConfusionMatrix)
        if judged is not self._judged:
            self._judged = judged
            matrix.show(judged.scores.confusion, judged.predictions.classes)
        if self._wanted is not None:
            matrix.go(*self._wanted)
            self._wanted = None
        self._tell(cell_text(judged, matrix.cursor))

    def go(self, pair: Pair) -> None:
        """Put the cursor on this cell, once there is one."""
        self._wanted = pair
        self.post_message(self.Stale())

    @on(ConfusionMatrix.Moved)
    def _moved(self, event: ConfusionMatrix.Moved) -> None:
        if self._judged is not None and not self.has_class("-empty"):
            self._tell(cell_text(self._judged, event.pair))

    @on(ConfusionMatrix.Opened)
    def _opened(self, event: ConfusionMatrix.Opened) -> None:
        self.post_message(self.PairWanted(event.pair, images=True))


def _taken_for(judged: Judged) -> dict[int, tuple[int, int]]:
    """Return for each class that is ever mistaken what for, mostly, and how many images."""
    from cnn_core.inspect.verdicts import main_confusions  # imports torch, which is there by now

    labels = {name: label for label, name in enumerate(judged.predictions.classes)}
    main = main_confusions(judged.scores)
    return {labels[one.true]: (labels[one.predicted], one.images) for one in main.values()}


def _name(name: str) -> Text:
    text = literal(name)
    text.truncate(_LONGEST_NAME, overflow="ellipsis")  # or the figures leave a narrow pane
    return text

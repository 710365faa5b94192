"""A dialog that picks a backbone, of those that come along or of timm's models."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from cnn_core.backbones.timm_names import PREFIX
from cnn_tui.catalog import BackboneLine, find_backbones
from cnn_tui.output import literal
from cnn_tui.screens.page import Dialog
from cnn_tui.widgets.list_table import ListTable

_COLUMNS = [
    ("name", Text("backbone")),
    ("parameters", Text("parameters", justify="right")),
    ("top1", Text("top-1", justify="right")),
    ("place", Text("weights")),
    ("help", Text("what it is")),
]
# More lines help nobody find one, and every letter typed draws them anew.
_MOST_SHOWN = 100


class PickBackbone(Dialog):
    """Returns the name of a backbone, or None; words typed above find those that hold them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "to_list", "To the list", show=False, id="pick_backbone.list"),
    ]

    def __init__(self, lines: Sequence[BackboneLine], *, current: str) -> None:
        super().__init__()
        self._lines, self._current = lines, current
        self._timm = sum(line.name.startswith(PREFIX) for line in lines)

    def compose(self) -> ComposeResult:
        """Put the words to look for above the list."""
        with Vertical(classes="dialog pick backbones"):
            yield Static("Backbone", classes="dialog-title")
            yield Input(placeholder="words such as resnet, cached, timm:convnext")
            yield ListTable()
            yield Static(classes="muted")

    def on_mount(self) -> None:
        """Begin at the present value."""
        self.query_one(Input).focus()
        self._find("")
        shown = [line.name for line in find_backbones(self._lines, "")]
        if self._current in shown:
            self.query_one(ListTable).move_cursor(row=shown.index(self._current))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._find(event.value)

    def _find(self, wanted: str) -> None:
        found = find_backbones(self._lines, wanted)
        shown = found[:_MOST_SHOWN]
        table = self.query_one(ListTable)
        table.show(_COLUMNS, {line.name: _cells(line) for line in shown})
        table.move_cursor(row=0)  # enter takes what fits first
        self.query_one(".muted", Static).update(literal(self._told(wanted, found)))

    def _told(self, wanted: str, found: Sequence[BackboneLine]) -> str:
        if not self._timm and (not found or not wanted.strip()):
            return "timm's models, as timm:NAME, come with: pip install 'cnn-tui[timm]'"
        if not found:
            return "no backbone matches"
        if len(found) > _MOST_SHOWN:
            return f"and {len(found) - _MOST_SHOWN} more: type on to find them"
        return "" if wanted.strip() else f"{self._timm} models of timm besides: type to find them"

    def action_to_list(self) -> None:
        """Go down into the list."""
        self.query_one(ListTable).focus()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        key = self.query_one(ListTable).key
        if key is not None:
            self.dismiss(key)

    @on(ListTable.Opened)
    def _opened(self, event: ListTable.Opened) -> None:
        self.dismiss(event.key)


def _cells(line: BackboneLine) -> list[Text]:
    millions = None if line.parameters is None else f"{line.parameters / 1e6:,.1f} M"
    top1 = None if line.top1 is None else f"{100 * line.top1:.1f} %"
    cells = [literal(cell) for cell in (line.name, millions, top1, line.place, line.help)]
    for cell in cells[1:3]:
        cell.justify = "right"
    return cells

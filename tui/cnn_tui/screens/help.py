"""F1: what one can do here, with every key and the id by which it is remapped."""

from dataclasses import dataclass
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import Markdown
from rich.segment import Segment
from rich.table import Table
from rich.text import Text
from rich.theme import Theme
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from cnn_tui.output import literal
from cnn_tui.screens.page import Dialog, Page


class Help(Dialog):
    """Shows the page's own text and a table of the keys that were active when it was opened.

    Rich lays out both: Textual's Markdown makes a widget of each item, and takes twice as long.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,q", "cancel", "Close", id="help.close"),
    ]

    def __init__(self, page: Screen[object]) -> None:
        super().__init__()
        self._text = page.HELP_TEXT if isinstance(page, Page) else ""
        self._about_focus = page.help_on_focus() if isinstance(page, Page) else ""
        self._keys = _table_of_keys(page)

    def compose(self) -> ComposeResult:
        """Put the text about the focus first, then the page's, then the keys."""
        with Vertical(classes="dialog help"):
            yield Static("Help", classes="dialog-title")
            with VerticalScroll():
                if self._about_focus:
                    yield Static(literal(self._about_focus), classes="dialog-text")
                if self._text:
                    accent = self.app.theme_variables["primary"]
                    yield Static(_LaidOut(_Prose(self._text, accent)), classes="dialog-text")
                yield Static(_LaidOut(self._keys))

    def on_mount(self) -> None:
        """Let the arrows scroll."""
        self.query_one(VerticalScroll).focus()


@dataclass(frozen=True)
class _Prose:
    """Markdown whose code has the colour of the theme, and no ground of its own."""

    text: str
    code_colour: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with console.use_theme(Theme({"markdown.code": f"bold {self.code_colour}"})):
            yield from console.render(Markdown(self.text, code_theme="ansi_dark"), options)


class _LaidOut:
    """Laid out once for each width, though Textual asks for the height and then for the lines."""

    def __init__(self, content: RenderableType) -> None:
        self._content = content
        self._segments: dict[int, list[Segment]] = {}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        if width not in self._segments:
            whole = options.update(height=None)
            self._segments[width] = list(console.render(self._content, whole))
        yield from self._segments[width]


def _table_of_keys(page: Screen[object]) -> Table:
    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column(Text("key", "bold"), no_wrap=True)
    table.add_column(Text("does", "bold"), ratio=1)
    table.add_column(Text("id, to remap it", "bold"), style="dim", no_wrap=True)
    rows: dict[str, tuple[list[str], str, str]] = {}
    for active in page.active_bindings.values():
        binding = active.binding
        if not binding.description:
            continue
        keys, _, _ = rows.setdefault(
            binding.id or binding.action,
            ([], binding.tooltip or binding.description, binding.id or ""),
        )
        keys.append(page.app.get_key_display(binding))
    # Those of the page first; what Textual's own widgets bind, such as the arrows, after them.
    for keys, does, binding_id in sorted(rows.values(), key=lambda row: not row[2]):
        table.add_row(Text(" ".join(dict.fromkeys(keys))), Text(does), Text(binding_id))
    return table

"""The form of a preset: a row for each field, in sections that fold what is rarely set."""

from collections.abc import Mapping
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult, RenderResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import DescendantBlur
from textual.message import Message
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from cnn_core.errors import printable
from cnn_tui.form import Form
from cnn_tui.form_fields import FormField, choices, form_fields, sections
from cnn_tui.widgets.one_of import SWITCH, OneOf


class FieldRow(Widget):
    """A field's name, what edits its text, and below that what is wrong with it."""

    class Edited(Message):
        """The user entered another text."""

        def __init__(self, key: str, text: str) -> None:
            super().__init__()
            self.key, self.text = key, text

    def __init__(self, field: FormField, suggester: Suggester | None = None) -> None:
        super().__init__(classes=f"field -{field.kind}")
        self.field = field
        self.editor = _editor(field, suggester)
        self.changed = False
        self._mistake: Static | None = None  # most fields never need one
        self._shown = ""

    def compose(self) -> ComposeResult:
        """Put the editor to the right of the name, which the row itself shows."""
        yield self.editor

    def render(self) -> RenderResult:
        """Show the name, with a mark where the value differs from the source's."""
        mark = ("● ", self.app.theme_variables["accent"]) if self.changed else "  "
        return Text.assemble(mark, self.field.name)

    def show(self, form: Form, *, idle: bool) -> None:
        """Take over the state of the field; its text is the user's alone (see ``fill``)."""
        key = self.field.key
        placeholder = form.placeholder(key)
        if isinstance(self.editor, Input) and self.editor.placeholder != placeholder:
            self.editor.placeholder = placeholder
        mistake = form.mistakes.get(key, "")
        self.set_class(bool(mistake), "-wrong")
        self.set_class(idle and not mistake, "-idle")
        if self._mistake is not None:
            if mistake != self._mistake.content:
                self._mistake.update(mistake)
        elif mistake:
            self._mistake = Static(mistake, classes="mistake", markup=False)
            self.mount(self._mistake)
        changed = key in form.changes
        if changed != self.changed:
            self.changed = changed
            self.refresh()

    def fill(self, text: str) -> None:
        """Replace what is entered, as loading and undoing do.

        Never in answer to an edit: the user may have typed on since.
        """
        self._shown = text
        if isinstance(self.editor, OneOf):
            self.editor.value = text
        elif isinstance(self.editor, Input):
            if self.editor.value != (shown := printable(text)):
                self.editor.value = shown
        elif self.editor.text != (shown := _printable_lines(text)):
            self.editor.text = shown

    def on_one_of_changed(self, event: OneOf.Changed) -> None:
        """Tell of another choice."""
        event.stop()
        if event.one_of.value != self._shown:
            self._tell(event.one_of.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell of another text, but not of control characters that show as escapes."""
        event.stop()
        if event.input.value != printable(self._shown):
            self._tell(event.input.value)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Tell of other lines."""
        event.stop()
        if event.text_area.text != _printable_lines(self._shown):
            self._tell(event.text_area.text)

    def _tell(self, text: str) -> None:
        self._shown = text
        self.post_message(self.Edited(self.field.key, text))


class More(Static, can_focus=True):
    """The line that folds and unfolds a section's rare fields."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "fold", "Fold or unfold", show=False),
    ]
    ALLOW_SELECT = False

    def action_fold(self) -> None:
        """Ask the section."""
        assert isinstance(self.parent, SectionBox)
        self.parent.toggle()

    def on_click(self) -> None:
        """The same by mouse."""
        self.action_fold()


class SectionBox(Vertical):
    """A section's title and fields; rare ones show if they are set, wrong, or asked for."""

    def __init__(self, name: str, about: str, rows: list[FieldRow]) -> None:
        super().__init__(classes="section")
        self.section = name
        self._about, self.rows = about, rows
        self._folded = True
        self._more = More(classes="more", markup=False)

    def compose(self) -> ComposeResult:
        """Show title, fields and the line that folds."""
        title = Text.assemble((self.section or "experiment", "bold"), "  ", (self._about, "dim"))
        title.no_wrap, title.overflow = True, "ellipsis"
        yield Static(title, classes="section-title")
        yield from self.rows
        yield self._more

    def toggle(self) -> None:
        """Fold or unfold."""
        self._folded = not self._folded
        self.post_message(self.Toggled())

    class Toggled(Message):
        """Which rows show is to be found anew."""

    def show(self, form: Form) -> None:
        """Find which rows show; the one that is being edited stays."""
        hidden = []
        for row in self.rows:
            key = row.field.key
            needed = not row.field.rare or form.is_set(key) or key in form.mistakes
            row.display = needed or not self._folded or row.has_focus_within
            if row.field.rare and not needed:
                hidden.append(row.field.name)
        self._more.display = bool(hidden)
        sign, names = ("▸", ", ".join(hidden)) if self._folded else ("▾", "fewer")
        line = f"{sign} {'more: ' if self._folded else ''}{names}"
        if line != self._more.content:
            self._more.update(line)

    def unfold(self) -> None:
        """Show every row."""
        self._folded = False


class FormView(VerticalScroll, can_focus=False, inherit_bindings=False):
    """All sections; ``show`` brings them up to date after an edit."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", "Next field", show=False),
        Binding("up", "app.focus_previous", "Previous field", show=False),
        Binding("enter", "app.focus_next", "Next field", show=False),
        Binding("pagedown", "section(1)", "Next section", id="new.section_next", show=False),
        Binding("pageup", "section(-1)", "Previous section", id="new.section_before", show=False),
    ]

    def __init__(self, suggesters: Mapping[str, Suggester]) -> None:
        super().__init__(id="form")
        self._rows = {
            key: FieldRow(field, suggesters.get(key)) for key, field in form_fields().items()
        }
        self._sections = [
            SectionBox(
                name, about, [row for row in self._rows.values() if row.field.section == name]
            )
            for name, about in sections().items()
        ]
        self._form: Form | None = None
        self._last: Widget | None = None

    def compose(self) -> ComposeResult:
        """Show the sections below each other."""
        yield from self._sections

    def show(self, form: Form, *, fill: bool = False) -> None:
        """Take over mistakes and marks; with ``fill`` the texts too, after loading or undoing."""
        self._form = form
        idle = form.idle()
        with self.app.batch_update():
            for key, row in self._rows.items():
                if fill:
                    row.fill(form.text(key))
                row.show(form, idle=key in idle)
            for section in self._sections:
                section.show(form)

    def on_section_box_toggled(self) -> None:
        """Show or hide rows."""
        if self._form is not None:
            self.show(self._form)

    def go_to(self, key: str) -> None:
        """Focus a field, unfolded if need be."""
        row = self._rows[key]
        if not row.display:
            section = next(box for box in self._sections if row in box.rows)
            section.unfold()
            self.on_section_box_toggled()
        row.editor.focus()

    def take_focus(self) -> None:
        """Focus the field that had the focus last, at first the first one."""
        if self._last is not None:
            self._last.focus()
        else:
            next(iter(self._rows.values())).editor.focus(scroll_visible=False)
            self.scroll_home(animate=False)

    def about_focus(self) -> Text:
        """Return a line or two about the field being edited and its value."""
        field = self._focused_field()
        if field is None or self._form is None:
            return Text("")
        text = Text.assemble((field.key, "bold"), "  ", field.help)
        if about := dict(choices(field)).get(self._form.text(field.key)):
            text.append(f" · {about}", "dim")
        if why := self._form.idle().get(field.key):
            text.append(f" · {why}", "dim")
        return text

    def help_on_focus(self) -> str:
        """Return the help of the field being edited, with all its values."""
        field = self._focused_field()
        if field is None:
            return ""
        lines = [
            f"  {value}: {about}" if about else f"  {value}" for value, about in choices(field)
        ]
        return "\n".join([f"{field.key}: {field.help}", *lines])

    def _focused_field(self) -> FormField | None:
        return next((row.field for row in self._rows.values() if row.has_focus_within), None)

    def action_section(self, by: int) -> None:
        """Focus the first field of the next section, or of this one or the one before."""
        at = next((i for i, box in enumerate(self._sections) if box.has_focus_within), 0)
        box = self._sections[min(max(at + by, 0), len(self._sections) - 1)]
        first = next((row.editor for row in box.rows if row.display), None)
        # At once, rather than by a message: the key may be held down.
        self.screen.set_focus(first or box.query_one(More), scroll_visible=False)
        self.scroll_to_widget(box, top=True)

    def on_input_submitted(self) -> None:
        """Go on with the next field."""
        self.app.action_focus_next()

    def on_descendant_blur(self, event: DescendantBlur) -> None:
        """End the change of the field that is left, to which ``take_focus`` comes back."""
        self._last = event.widget
        if self._form is not None:
            self._form.settle()


def _editor(field: FormField, suggester: Suggester | None) -> OneOf | Input | TextArea:
    match field.kind:
        case "choice":
            return OneOf(field.values)
        case "switch":
            return OneOf(SWITCH)
        case "lines":
            return TextArea(compact=True, highlight_cursor_line=False)
    return Input(compact=True, suggester=suggester)


def _printable_lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))

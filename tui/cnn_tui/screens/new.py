"""New experiment: a form beside previews of what it will train on."""

import asyncio
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.types import CSSPathType
from textual.widget import Widget
from textual.widgets import Static

from cnn_core.errors import UserError
from cnn_tui.background import start_in_background
from cnn_tui.catalog import list_presets
from cnn_tui.form import Form, Source, read_source
from cnn_tui.form_command import headless_command
from cnn_tui.launch import check, make_run
from cnn_tui.output import literal, sentence
from cnn_tui.screens.dialogs import Ask, Choice
from cnn_tui.screens.draft_keeping import DraftKeeping
from cnn_tui.screens.pick import PickPreset
from cnn_tui.screens.pick_value import value_picker
from cnn_tui.screens.save_preset import SavePreset
from cnn_tui.screens.send import SendTo
from cnn_tui.sending import send
from cnn_tui.suggest import PathSuggester
from cnn_tui.widgets.form_view import FieldRow, FormView
from cnn_tui.widgets.one_of import OneOf
from cnn_tui.widgets.preview_panel import PreviewPanel
from cnn_tui.widgets.title_bar import TitleBar
from cnn_tui.workers import run_beside

How = Literal["here", "background", "queue", "send"]


class NewPage(DraftKeeping):
    """The form starts from a preset or from a run; leaving it with changes asks."""

    CSS_PATH: ClassVar[CSSPathType | None] = "new.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-columns"), (180, "-wide")]  # noqa: RUF012
    HELP_TEXT = """
Change what you like: **tab** or the arrows go from field to field, **page up** and **page down**
from section to section. **Left** and **right** turn through the values of a field in ‹ ›, **enter**
lists them with a line about each. An empty field takes the default that stands in it.

What is wrong is told below its field, at once; fields that differ from where you started have a
**●**, and **ctrl+z** takes the last change back. Beside the form (or behind **f3**) you see the
split, the network, the learning rate and samples of what would be trained.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f9", "start('here')", "Start", id="new.start",
                tooltip="Train this here, or queue it while another run is trained"),
        Binding("ctrl+s", "start('here')", "Start", id="new.start_too", show=False,
                tooltip="Train this here, or queue it while another run is trained"),
        Binding("f8", "start('background')", "Background", id="new.background",
                tooltip="Train this in a process of its own, which outlives the app"),
        Binding("f7", "start('queue')", "Queue", id="new.queue",
                tooltip="Make the run and let it wait its turn"),
        Binding("f10", "start('send')", "Send to…", id="new.send",
                tooltip="Train this on Ray, by SLURM, or in a process here"),
        Binding("f2", "save", "Save", id="new.save",
                tooltip="Save this as a preset, a file of your own"),
        Binding("f4", "load", "Preset", id="new.load",
                tooltip="Start from another preset"),
        Binding("f3", "preview", "Preview", id="new.preview",
                tooltip="Show the previews or the form; where both show, go from one to the other"),
        Binding("f6", "next_preview", "Next", id="new.next_preview",
                tooltip="Show the next preview", show=False),
        Binding("f5", "resample", "Samples", id="new.resample", show=False,
                tooltip="Draw other samples"),
        Binding("ctrl+z", "undo", "Undo", id="new.undo",
                tooltip="Take the last change back"),
        Binding("ctrl+y", "copy", "Command", id="new.copy", show=False,
                tooltip="Copy the command that trains this without the app"),
    ]  # fmt: skip

    def __init__(self, source: Path | str | None = None) -> None:
        """``source`` is the folder of a run, a preset's file or name, or asked for."""
        super().__init__()
        self._origin = source
        self._starting = False

    def compose_page(self) -> Iterable[Widget]:
        """Put the form to the left of the previews."""
        place = self.cnn_app.workplace
        suggesters = {
            "data.root": PathSuggester(place.data_dir),
            "model.weights": PathSuggester(Path(), ("none", "imagenet"), files=True),
        }
        with Horizontal(id="columns"):
            with Vertical(id="left"):
                yield Static(id="problem", markup=False)
                yield FormView(suggesters)
                yield Static(id="differences")
                yield Static(id="about")
            yield PreviewPanel(place)

    def on_mount(self) -> None:
        """Load the source, or ask for a preset first."""
        self.query_one(TitleBar).page = "New experiment"
        run_beside(self, self._begin)

    # --- where it starts from --------------------------------------------------------------------

    async def _begin(self) -> None:
        if self._origin is None and await self.take_up():
            self._show(fill=True)
            self.query_one(FormView).take_focus()
        elif self._origin is None or not await self._load(self._origin):
            await self._ask_for_preset()
        if self._form is None:
            self.dismiss()

    async def _load(self, origin: Path | str) -> bool:
        try:
            source = await asyncio.to_thread(read_source, origin)
        except (UserError, OSError) as error:
            self.tell_error(sentence(error))
            return False
        self._take(source)
        return True

    async def _ask_for_preset(self) -> None:
        """Let a preset be picked until one can be read, or none is wanted."""
        lines = await asyncio.to_thread(list_presets, Path())
        while wanted := await self.app.push_screen_wait(PickPreset(lines)):
            if await self._load(wanted):
                return

    def _take(self, source: Source) -> None:
        if self._form is None:
            self._form = Form(source)
        else:
            self._form.load(source)
        self._show(fill=True)
        self.query_one(FormView).take_focus()
        if source.dropped:
            self._tell_problem(f"unknown to this version, left out: {', '.join(source.dropped)}")

    # --- the form --------------------------------------------------------------------------------

    def _show(self, *, fill: bool = False) -> None:
        form = self._form
        if form is None:
            return
        self.query_one(FormView).show(form, fill=fill)
        self.query_one(PreviewPanel).show(form.draft())
        self._tell_problem("")
        counts = ((len(form.mistakes), "mistake"), (len(form.changes), "change"))
        parts = [f"{count} {noun}{'s' if count > 1 else ''}" for count, noun in counts if count]
        title = " · ".join([f"New experiment: {form.source.label}", *parts])
        self.query_one(TitleBar).page = title
        told = "; ".join(f"{c.key} {c.before} → {c.after}" for c in form.changes.values())
        self.query_one("#differences", Static).update(literal(told or "no change yet"))
        self._show_about()
        self.keep_soon()

    def _show_about(self) -> None:
        self.query_one("#about", Static).update(self.query_one(FormView).about_focus())

    def _tell_problem(self, text: str) -> None:
        problem = self.query_one("#problem", Static)
        problem.update(text)
        problem.set_class(bool(text), "-shown")

    def on_field_row_edited(self, event: FieldRow.Edited) -> None:
        """Take over what was entered."""
        if self._form is not None and self._form.set(event.key, event.text):
            self._show()

    def on_descendant_focus(self) -> None:
        """Tell about the field."""
        self._show_about()

    def on_one_of_asked(self, event: OneOf.Asked) -> None:
        """List the values of a choice."""
        run_beside(self, partial(self._pick_value, event.one_of))

    async def _pick_value(self, one_of: OneOf) -> None:
        row = one_of.parent
        assert isinstance(row, FieldRow)
        picker = await value_picker(row.field, one_of.value, self.cnn_app.workplace.data_dir)
        value = await self.app.push_screen_wait(picker)
        if value is not None:
            one_of.choose(value)

    def help_on_focus(self) -> str:
        """Return the help of the focused field, with its values."""
        return self.query_one(FormView).help_on_focus()

    # --- actions ---------------------------------------------------------------------------------

    def action_undo(self) -> None:
        """Take the last change back."""
        if self._form is None or not self._form.undo():
            self.tell("nothing to take back")
        else:
            self._show(fill=True)

    def action_preview(self) -> None:
        """Go between form and previews."""
        panel = self.query_one(PreviewPanel)
        to_panel = not panel.has_focus_within
        self.set_class(to_panel, "-previewing")
        self.call_after_refresh(
            panel.take_focus if to_panel else self.query_one(FormView).take_focus
        )
        panel.look_again()

    def action_next_preview(self) -> None:
        """Show the next preview."""
        self.query_one(PreviewPanel).next_tab()

    def action_resample(self) -> None:
        """Draw other samples."""
        self.query_one(PreviewPanel).draw_others()

    def action_load(self) -> None:
        """Start from another preset."""
        run_beside(self, self._ask_for_preset)

    def action_copy(self) -> None:
        """Copy the headless command, and show it: not every terminal takes it."""
        form = self._form
        if form is not None:
            command = self.attempt(lambda: headless_command(form, self.cnn_app.workplace))
            if command is not None:
                self.app.copy_to_clipboard(command)
                self.tell(f"copied: {command}")

    def action_save(self) -> None:
        """Save as a preset."""
        run_beside(self, self._save)

    async def _save(self) -> bool:
        """Return whether this is a preset now."""
        if self._form is None or self._stopped_by_mistakes():
            return False
        path = await self.app.push_screen_wait(SavePreset(self._form.experiment()))
        return path is not None and await self._load(path)

    def _stopped_by_mistakes(self) -> bool:
        """Go to the first mistake, if there is one."""
        if self._form is None or not (mistakes := self._form.mistakes):
            return False
        key, message = next(iter(mistakes.items()))
        self.remove_class("-previewing")
        self.query_one(FormView).go_to(key)
        self.tell_error(f"{key}: {message}")
        return True

    def action_start(self, how: How) -> None:
        """Make the run and train it, once nothing is wrong."""
        if self._form is not None and not self._starting and not self._stopped_by_mistakes():
            run_beside(self, partial(self._start, self._form, how))

    async def _start(self, form: Form, how: How) -> None:
        place = self.cnn_app.workplace
        to = await self.app.push_screen_wait(SendTo("the new run")) if how == "send" else None
        if how == "send" and to is None:
            return
        self._starting = True
        self._tell_problem("checking…")
        try:
            experiment = form.experiment()
            elsewhere = to is not None and not to.here
            await asyncio.to_thread(check, experiment, place, elsewhere=elsewhere)
            if not self.is_active:
                self._tell_problem("not started: another window was opened meanwhile")
                return
            run_dir = await asyncio.to_thread(make_run, experiment, place)
            if how == "background":
                await asyncio.to_thread(
                    start_in_background, run_dir, data_dir=place.data_dir, device=place.device
                )
            elif to is not None:
                self._tell_problem(f"sending it to {to.launcher}…")
                await asyncio.to_thread(
                    send, run_dir, to, data_dir=place.data_dir, device=place.device
                )
        except Exception as error:  # noqa: BLE001  (told, whatever it is; nothing is trained)
            self._tell_problem(sentence(error))
            return
        finally:
            self._starting = False
        app = self.cnn_app
        self.dismiss()
        match how:
            case "here":
                app.train(run_dir)
            case "background" | "send":
                app.open_run(run_dir)
            case "queue":
                app.enqueue(run_dir)

    def action_back(self) -> None:
        """Leave; ask if there are changes."""
        if self._form is None or not self._form.changes:
            self.dismiss()
        else:
            run_beside(self, self._leave)

    async def _leave(self) -> None:
        answer = await self.app.push_screen_wait(
            Ask(
                "The changes are in no run and no preset",
                "",
                [
                    Choice("leave", "l", "leave without them"),
                    Choice("save", "s", "save as a preset, and leave"),
                    Choice("stay", "c", "cancel: stay here"),
                ],
            )
        )
        if answer == "leave" or (answer == "save" and await self._save()):
            self.dismiss()

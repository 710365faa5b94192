"""The queue: what trains now, and the runs that wait for it, in order."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events, on, work
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from cnn_core.errors import CnnTuiError, UserError
from cnn_core.runs.index import Row
from cnn_tui.background import train_queue_in_background
from cnn_tui.output import literal
from cnn_tui.queue_reader import QueueLook, QueueReader
from cnn_tui.queue_tables import live_table, waiting_table
from cnn_tui.screens.following import FollowingPage
from cnn_tui.screens.slots_prompt import SlotsPrompt
from cnn_tui.widgets.list_table import ListTable
from cnn_tui.widgets.title_bar import TitleBar

_EMPTY = """\
No run waits.

Q on the first page puts its run here, and so does "queue" in a new experiment.
In a shell: cnn-tui run PRESET --queue
"""


class QueuePage(FollowingPage):
    """Runs in the order in which they will be trained, one after another."""

    CSS_PATH = "queue.tcss"
    HELP_TEXT = """\
The runs below wait; they are trained one after another, by this app or by
`cnn-tui queue --train`, whichever has begun with it. A run that fails does not stop the queue.

`K` and `J` (or shift and an arrow, or the mouse: drag a row) change the order, `x` takes a run out
of the queue: it is kept and can be put back. `s` starts a run now if nothing trains here. `h`
holds the queue, so that nothing more is started, and lets it go on again.

`w` trains several at a time in slots, each run in a process of its own (one for each GPU, say),
and all of that outlives the app; `w` again changes their number, 0 lets no further run begin.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "K,shift+up", "move(-1)", "Earlier", id="queue.earlier", tooltip="Train the run earlier"
        ),
        Binding(
            "J,shift+down", "move(1)", "Later", id="queue.later", tooltip="Train the run later"
        ),
        Binding(
            "x,delete",
            "take_out",
            "Take out",
            id="queue.take_out",
            tooltip="Take the run out of the queue; the run itself is kept",
        ),
        Binding(
            "s",
            "start",
            "Start now",
            id="queue.start",
            tooltip="Train the run here now, if nothing is trained here",
        ),
        Binding("h", "hold", "Hold", id="queue.hold", tooltip="Start no further run"),
        Binding("h", "go_on", "Go on", id="queue.go_on", tooltip="Let the queue go on"),
        Binding(
            "w",
            "slots",
            "Slots",
            id="queue.slots",
            tooltip="Train several of them at a time, each in a process of its own",
        ),
        Binding(
            "e", "clone", "Clone", id="queue.clone", tooltip="A new experiment from this run's"
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._look: QueueLook | None = None
        self._gripped: str | None = None
        self._said: dict[str, str] = {}

    def compose_page(self) -> Iterable[Widget]:
        """Put what trains above what waits."""
        yield Static("Training now", id="now-heading", classes="heading")
        yield ListTable(id="now")
        yield Static(id="idle", classes="line muted")
        yield Static("Waiting", classes="heading")
        yield Static("reading…", id="state", classes="line muted")
        with Vertical(id="rest"):
            yield ListTable(id="waiting")

    def on_mount(self) -> None:
        """Read the queue, and follow it."""
        self.query_one(TitleBar).page = "Queue"
        app = self.cnn_app
        self._reader = QueueReader(app.workplace.runs_dir, app.slot.queue)
        self.query_one("#waiting").focus()
        self.follow()

    def on_resize(self) -> None:
        """Show as many columns as fit."""
        self._show()

    # --- reading and showing --------------------------------------------------------------------

    async def look(self) -> None:
        """Read who trains and who waits."""
        try:
            self._look = await asyncio.to_thread(self._reader.look)
        except (CnnTuiError, OSError) as error:
            self._say("state", str(error))
        else:
            self._show()
        finally:
            self.looking = False

    def _show(self) -> None:
        if self._look is None:
            return
        slot, live, waiting = self.cnn_app.slot, self._look.live, self._look.waiting
        now = self.query_one("#now", ListTable)
        now.set_class(not live, "-absent")
        look, width = self._look, self.size.width
        slots = "" if look.slots is None else f" · slots of the queue: {look.slots}"
        self._say("now-heading", f"Training now{slots}")
        now.show(*live_table(look, self._trained_here, self.app.theme_variables, width))
        here = self._trained_here
        begins = f"{here} begins" if here else "nothing is trained now"
        self._say("idle", "" if live else begins)
        table = self.query_one("#waiting", ListTable)
        table.set_class(not waiting, "-absent")
        table.show(*waiting_table(look, self._trained_here if slot.queue_on else None, width))
        self._say("state", self._state())
        self.refresh_bindings()

    def _say(self, where: str, text: str) -> None:
        if self._said.get(where) != text:
            self._said[where] = text
            line = self.query_one(f"#{where}", Static)
            line.update(literal(text) if "\n" not in text else Text(text))
            line.set_class(not text, "-absent")

    def _state(self) -> str:
        slot = self.cnn_app.slot
        if not self._waiting:
            return _EMPTY
        if self._look is not None and self._look.slots is not None:
            return "they start as slots become free, in the order below; w changes their number"
        if not slot.queue_on:
            return "held: this app starts none of them; h lets the queue go on"
        if slot.busy:
            return "the next one starts when the run here has ended; h holds the queue"
        return "they start as soon as no other process trains the queue; h holds it"

    @property
    def _trained_here(self) -> str | None:
        """The id of the run that this process trains."""
        slot = self.cnn_app.slot
        return slot.current.name if slot.busy and slot.current is not None else None

    # --- what one can do ------------------------------------------------------------------------

    @property
    def _waiting(self) -> list[Row]:
        return self._look.waiting if self._look is not None else []

    @property
    def _current(self) -> str | None:
        """The id of the waiting run under the cursor."""
        table = self.query_one("#waiting", ListTable)
        return table.key if table.display else None

    def _run_dir(self, run_id: str) -> Path:
        return self.cnn_app.workplace.runs_dir / run_id

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what is done to a run only where one waits, and of hold and go on what changes."""
        if action in ("move", "take_out", "start", "clone") and not self._waiting:
            return None
        if action in ("hold", "go_on"):
            return self.cnn_app.slot.queue_on == (action == "hold")
        return super().check_action(action, parameters)

    def action_move(self, by: int) -> None:
        """Move the run in the queue."""
        if (run_id := self._current) is not None:
            self._move(run_id, by)

    def _move(self, run_id: str, by: int) -> None:
        self.attempt(lambda: self.cnn_app.slot.queue.move(run_id, by))
        self.look_now()

    def action_take_out(self) -> None:
        """Remove the run from the queue, not from the disk."""
        run_id = self._current
        if run_id is None:
            return

        def take_out() -> None:
            self.cnn_app.slot.queue.remove(run_id)
            self.tell(f"{run_id} is not in the queue any more; the run is kept")

        self.attempt(take_out)
        self.look_now()

    def action_start(self) -> None:
        """Train the run here and show it."""
        slot, run_id = self.cnn_app.slot, self._current
        if run_id is None:
            return
        if slot.busy:
            self.tell_error("a run is being trained here; the next one starts when it has ended")
            return

        def start() -> None:
            slot.queue.remove(run_id)  # no more, if another process has taken it just now
            self.cnn_app.train(self._run_dir(run_id))

        self.attempt(start)

    def action_hold(self) -> None:
        """Start no further run."""
        self.cnn_app.slot.queue_on = False
        self._tell_without_runs("held: no run that is queued elsewhere starts here")

    def action_go_on(self) -> None:
        """Let the queue go on."""
        slot = self.cnn_app.slot
        slot.queue_on = True
        slot.start_waiting()
        self._tell_without_runs("runs that come to wait start here")

    def _tell_without_runs(self, text: str) -> None:
        if not self._waiting:  # else the line above those says it
            self.tell(text)
        self.look_now()

    @work(exclusive=True, group="slots", exit_on_error=False)
    async def action_slots(self) -> None:
        """Ask for a number of slots; let a process train so many, or tell the one that does."""
        app, queue = self.cnn_app, self.cnn_app.slot.queue
        present = await asyncio.to_thread(queue.slots)
        if present is None and app.slot.busy and app.slot.queue_on:
            self.tell_error("this app trains the queue, one by one: h holds it; then ask again")
            return
        answer = await self.app.push_screen_wait(SlotsPrompt(present))
        if answer is None:
            return

        def change() -> None:
            if present is not None and queue.slots() is not None:
                queue.set_slots(int(answer))
            elif not train_queue_in_background(app.workplace, queue, how=["--workers", answer]):
                raise UserError("no run waits")

        app.slot.queue_on = False
        try:
            await asyncio.to_thread(change)
        except (CnnTuiError, OSError) as error:
            self.tell_error(error)
        self.look_now()

    def action_clone(self) -> None:
        """Begin a new experiment with the run's settings."""
        if (run_id := self._current) is not None:
            self.cnn_app.new_experiment(from_run=self._run_dir(run_id))

    @on(ListTable.Opened)
    def _opened(self, event: ListTable.Opened) -> None:
        self.cnn_app.open_run(self._run_dir(event.key))

    # --- dragging -------------------------------------------------------------------------------

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of a waiting run."""
        self._gripped = self._key_at(event)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Put it where the mouse is."""
        gripped, target = self._gripped, self._key_at(event)
        self._gripped = None
        if gripped is None or target is None or gripped == target:
            return
        ids = [row["id"] for row in self._waiting]
        if gripped in ids and target in ids:
            self._move(gripped, ids.index(target) - ids.index(gripped))

    def _key_at(self, event: events.MouseEvent) -> str | None:
        table = self.query_one("#waiting", ListTable)
        row = event.style.meta.get("row", -1)
        inside = table.region.contains(event.screen_x, event.screen_y)
        waiting = self._waiting
        return str(waiting[row]["id"]) if inside and 0 <= row < len(waiting) else None

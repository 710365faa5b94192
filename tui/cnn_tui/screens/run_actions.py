"""What one can do with the runs of a list: train, stop, name, delete them and so on."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from textual import work
from textual.binding import Binding, BindingType

from cnn_core.errors import CnnTuiError, UserError
from cnn_core.runs.index import Row
from cnn_core.runs.removal import delete_run
from cnn_core.runs.requests import send_request
from cnn_core.runs.resumable import check_resumable
from cnn_tui.run_choice import tags_of
from cnn_tui.screens.dialogs import Prompt
from cnn_tui.screens.following import FollowingPage
from cnn_tui.wording import headless_command

_ALIVE = ("running", "paused")
_SHOWN = 10
_TYPED = 40
_NEED_A_RUN = frozenset(
    {
        *("open", "inspect", "clone", "resume", "stop", "pause", "compare"),
        *("delete", "queue", "send", "tags", "note", "rename", "copy"),
    }
)


class RunActions(FollowingPage):
    """The actions; a page with a list of runs tells which ones are meant."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "New experiment", id="runs.new", tooltip="Set up a new experiment"),
        Binding("enter", "open", "Open", id="runs.open", tooltip="Show the run live"),
        Binding("i", "inspect", "Inspect", id="runs.inspect", tooltip="Mistakes, filters and more"),
        Binding("e", "clone", "Clone", id="runs.clone", tooltip="Set up a new run like this one"),
        Binding("r", "resume", "Resume", id="runs.resume", tooltip="Train the run on, here"),
        Binding("x", "stop", "Stop", id="runs.stop", tooltip="Stop the run with a checkpoint"),
        Binding("p", "pause", "Pause", id="runs.pause", tooltip="Pause the run, or let it go on"),
        Binding("c", "compare", "Compare", id="runs.compare", tooltip="Selected runs side by side"),
        Binding(
            "d,delete",
            "delete",
            "Delete",
            id="runs.delete",
            key_display="d",
            tooltip="Delete the run, or all selected ones; asks first",
        ),
        Binding(
            "Q",
            "queue",
            "Queue run",
            show=False,
            id="runs.queue",
            tooltip="Let it wait its turn in the queue",
        ),
        Binding("S", "send", "Send to…", id="runs.send", tooltip="Train it on Ray, by SLURM, here"),
        Binding("t", "tags", "Tags", show=False, id="runs.tags", tooltip="Words to find it by"),
        Binding("m", "note", "Note", show=False, id="runs.note", tooltip="Write a note on the run"),
        Binding(
            "R,f2",
            "rename",
            "Rename",
            show=False,
            id="runs.rename",
            tooltip="Give the run another name",
        ),
        Binding(
            "y",
            "copy",
            "Copy command",
            show=False,
            id="runs.copy",
            tooltip="Copy the command that trains such a run without the app",
        ),
    ]

    def current(self) -> Row | None:
        """Return the run that is meant where one is; to be overridden."""
        raise NotImplementedError

    def selected(self) -> list[Row]:
        """Return the runs that were selected; to be overridden."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what needs a run where there is none."""
        if action in _NEED_A_RUN and self.current() is None:
            return None
        return super().check_action(action, parameters)

    # --- pages ---------------------------------------------------------------------------------

    def action_new(self) -> None:
        """Set up a new experiment."""
        self.cnn_app.new_experiment()

    def action_open(self) -> None:
        """Show the run live."""
        if row := self.current():
            self.cnn_app.open_run(self._folder(row))

    def action_inspect(self) -> None:
        """Look into the network of the run."""
        if row := self.current():
            self.cnn_app.look_inside(self._folder(row))

    def action_clone(self) -> None:
        """Set up a new run that begins like this one."""
        if row := self.current():
            self.cnn_app.new_experiment(self._folder(row))

    def action_compare(self) -> None:
        """Show the selected runs side by side."""
        rows = self.selected()
        if len(rows) < 2:
            self.tell("Select two runs or more with space, then compare them")
            return
        self.cnn_app.compare([self._folder(row) for row in rows])

    # --- training ------------------------------------------------------------------------------

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_resume(self) -> None:
        """Train the run on in this process, from its last checkpoint."""
        row = self.current()
        if row is None:
            return
        if row["status"] in _ALIVE:
            self.tell_error(f"{row['name']} is being trained already")
        elif await self._done(check_resumable, self._folder(row)):
            self.cnn_app.train(self._folder(row))

    def action_stop(self) -> None:
        """Ask the run's process to stop with a checkpoint."""
        self._ask("stop", "stops after this step, with a checkpoint")

    def action_pause(self) -> None:
        """Ask the run's process to wait, or to go on."""
        if (row := self.current()) and row["status"] == "paused":
            self._ask("unpause", "goes on")
        else:
            self._ask("pause", "pauses after this step, with a checkpoint")

    @work(group="action", exit_on_error=False)
    async def _ask(self, kind: str, done: str) -> None:
        if (row := self.current()) and await self._done(send_request, self._folder(row), kind):
            self.tell(f"{row['name']} {done}")
            self.look_now()

    @work(group="action", exit_on_error=False)
    async def action_queue(self) -> None:
        """Let the run, or the selected ones, wait for their turn."""
        slot = self.cnn_app.slot
        added = 0
        for row in self._meant():
            if row["status"] in (*_ALIVE, "finished", "diverged"):
                self.tell_error(f"{row['name']} is {row['status']}: nothing to wait for")
            elif await self._done(slot.enqueue, self._folder(row)):
                added += 1
        if added:
            self.tell("The run waits in the queue" if added == 1 else f"{added} runs wait")
            self.look_now()

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_send(self) -> None:
        """Ask where to train the run, or the selected ones, and send them there."""
        from cnn_tui.screens.send import SendTo, send_runs

        rows = self._meant()
        for row in rows:
            if row["status"] in (*_ALIVE, "finished", "diverged"):
                self.tell_error(f"{row['name']} is {row['status']}: nothing to train")
                return
        what = str(rows[0]["name"]) if len(rows) == 1 else f"{len(rows)} runs"
        to = await self.app.push_screen_wait(SendTo(what))
        if to is not None:
            await send_runs(self, [self._folder(row) for row in rows], to)
            self.look_now()

    # --- labels --------------------------------------------------------------------------------

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_rename(self) -> None:
        """Give the run another name; its id stays."""
        if row := self.current():

            def check(name: str) -> None:
                if not name.strip():
                    raise UserError("a name needs at least one letter")

            name = await self.app.push_screen_wait(Prompt("Rename", str(row["name"]), check=check))
            if name is not None:
                await self._label(row, name=name.strip())

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_tags(self) -> None:
        """Change the words to find the run by."""
        if row := self.current():
            tags = await self.app.push_screen_wait(
                Prompt(
                    f"Tags of {row['name']}",
                    ", ".join(tags_of(row)),
                    text="Words to find the run by, with commas between them.",
                )
            )
            if tags is not None:
                words = [word.strip() for word in tags.split(",")]
                await self._label(row, tags=list(dict.fromkeys(filter(None, words))))

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_note(self) -> None:
        """Change the note on the run."""
        from cnn_tui.screens.runs_dialogs import NoteEditor

        if row := self.current():
            note = await self.app.push_screen_wait(
                NoteEditor(f"Note on {row['name']}", str(row["notes"]))
            )
            if note is not None:
                await self._label(row, notes=note)

    async def _label(self, row: Row, **labels: Any) -> None:
        def change() -> None:
            from cnn_core.runs.labels import set_labels  # reads the models of the configuration

            set_labels(self._folder(row), **labels)

        if await self._done(change):
            self.look_now()

    # --- the rest ------------------------------------------------------------------------------

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_delete(self) -> None:
        """Delete the run or the selected ones, once that was confirmed by typing it."""
        rows = self._meant()
        if not rows:
            return
        alive = [str(row["name"]) for row in rows if row["status"] in _ALIVE]
        if alive:
            self.tell_error(f"{', '.join(alive)}: being trained, stop it first (x)")
            return
        wanted = _to_type(rows)

        def check(text: str) -> None:
            if text.strip() != wanted:
                raise UserError(f"type {wanted} to delete, esc to keep")

        lines = [f"{row['name']}  ({row['id']})" for row in rows[:_SHOWN]]
        if len(rows) > _SHOWN:
            lines.append(f"and {len(rows) - _SHOWN} more")
        title = "Delete this run for good?" if len(rows) == 1 else f"Delete {len(rows)} runs?"
        lines += ["", "The checkpoints go too.", f"Type: {wanted}"]
        text = "\n".join(lines)
        if await self.app.push_screen_wait(Prompt(title, text=text, check=check)) is None:
            return
        for row in rows:
            await self._done(self._delete, row)
        self.look_now()

    def _delete(self, row: Row) -> None:
        self.cnn_app.slot.queue.discard(row["id"])
        delete_run(self._folder(row))

    def action_copy(self) -> None:
        """Copy the headless command; show it too, as not every terminal takes it."""
        if row := self.current():
            command = headless_command(self._folder(row))
            self.app.copy_to_clipboard(command)
            self.tell(f"Copied: {command}")

    def _folder(self, row: Row) -> Path:
        return self.cnn_app.workplace.runs_dir / str(row["id"])

    def _meant(self) -> list[Row]:
        """Return the selected runs, or else the one under the cursor."""
        current = self.current()
        return self.selected() or ([current] if current else [])

    async def _done(self, action: Callable[..., object], *arguments: object) -> bool:
        """Do something with files off the event loop; tell of its failure and return False."""
        try:
            await asyncio.to_thread(action, *arguments)
        except (CnnTuiError, OSError) as error:
            self.tell_error(error)
            return False
        return True


def _to_type(rows: list[Row]) -> str:
    """Return what confirms a deletion: the name of one run, if that can be typed."""
    name = str(rows[0]["name"]).strip()
    if len(rows) == 1 and name.isascii() and name.isprintable() and 0 < len(name) <= _TYPED:
        return name
    return f"delete {len(rows)} run{'s' if len(rows) > 1 else ''}"

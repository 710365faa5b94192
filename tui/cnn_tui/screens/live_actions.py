"""What one can do with the run that is shown: ask its process, go on with it, take it along."""

import asyncio
from pathlib import Path
from typing import Any, ClassVar

from textual import work
from textual.binding import Binding, BindingType

from cnn_core.errors import CnnTuiError, UserError
from cnn_core.runs.requests import send_request
from cnn_core.runs.resumable import check_resumable
from cnn_core.training.events import LearningRateSet
from cnn_tui.background import start_in_background
from cnn_tui.run_watch import RunWatch
from cnn_tui.screens.dialogs import Ask, Choice, Prompt
from cnn_tui.screens.page import Page
from cnn_tui.screens.pick_run import PickRun
from cnn_tui.screens.run_files import RunFiles
from cnn_tui.screens.runs_dialogs import NoteEditor
from cnn_tui.wording import headless_command

_WHEN: dict[str, tuple[str, ...]] = {
    "pause": ("running",),
    "unpause": ("paused",),
    "stop": ("running", "paused"),
    "checkpoint": ("running",),
    "set_lr": ("running", "paused"),
    "finish": ("running", "paused"),
    "start": ("queued",),
    "resume": ("stopped", "interrupted", "failed"),
    "background": ("queued", "stopped", "interrupted", "failed"),
    "send": ("queued", "stopped", "interrupted", "failed"),
}


class LiveActions(Page):
    """A page about one run: ``run_dir`` and ``run_watch`` are the run's."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", "Pause", id="live.pause", tooltip="Wait, with a checkpoint"),
        Binding("p", "unpause", "Go on", id="live.unpause", tooltip="Continue the training"),
        Binding("s", "stop", "Stop", id="live.stop", tooltip="End here, with a checkpoint"),
        Binding("k", "checkpoint", "Checkpoint", id="live.checkpoint", tooltip="Save last.pt now"),
        Binding("l", "set_lr", "Rate", id="live.rate", tooltip="Change the learning rate"),
        Binding(
            "f",
            "finish",
            "Finish",
            id="live.finish",
            tooltip="Stop early: validate and test now, and be finished",
        ),
        Binding("r", "start", "Start", id="live.start", tooltip="Train it in this process"),
        Binding("r", "resume", "Resume", id="live.resume", tooltip="Go on in this process"),
        Binding(
            "B",
            "background",
            "Background",
            id="live.background",
            tooltip="Train it in a process of its own, which outlives this one",
        ),
        Binding("S", "send", "Send to…", id="live.send", tooltip="Train it on Ray, by SLURM, here"),
        Binding("t", "tags", "Tags", id="live.tags", show=False, tooltip="Words to find it by"),
        Binding("n", "note", "Note", id="live.note", show=False, tooltip="Write a note on the run"),
        Binding("c", "compare", "Compare", id="live.compare", tooltip="Beside another run"),
        Binding("i", "inspect", "Inspect", id="live.inspect", tooltip="Mistakes, filters and more"),
        Binding("e", "clone", "Clone", id="live.clone", tooltip="A new experiment like this"),
        Binding("y", "command", "Command", id="live.command", tooltip="Copy the headless command"),
        Binding("o", "files", "Files", id="live.files", tooltip="Path and log of the run"),
    ]

    run_dir: Path
    run_watch: RunWatch

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what the run's status allows."""
        if action in _WHEN:
            alive = self.run_watch.feed is not None and not self.run_watch.gone
            return alive and not self.run_watch.starting and self.run_watch.status in _WHEN[action]
        return super().check_action(action, parameters)

    def action_pause(self) -> None:
        """Let training wait."""
        self._ask("pause", "asked to pause, after the step in progress")

    def action_unpause(self) -> None:
        """Let training go on."""
        self._ask("unpause", "asked to go on")

    def action_stop(self) -> None:
        """Stop; a checkpoint is saved, so nothing needs to be asked."""
        self._ask("stop", "stopping with a checkpoint; Resume goes on from there")

    def action_checkpoint(self) -> None:
        """Save a checkpoint now."""
        self._ask("checkpoint", "asked for a checkpoint")

    def action_set_lr(self) -> None:
        """Ask for the base learning rate."""
        base = self._base_lr()
        feed = self.run_watch.feed
        present = f"The present rate is {feed.steps.lr:.4g}. " if feed and feed.steps else ""

        def answered(text: str | None) -> None:
            if text is not None:
                self._ask("set_lr", f"asked for the learning rate {text}", float(text))

        self.app.push_screen(
            Prompt(
                "Base learning rate",
                f"{base:g}" if base is not None else "",
                text=f"{present}The schedule goes on from the base rate.",
                check=check_lr,
            ),
            answered,
        )

    def action_finish(self) -> None:
        """Stop early, if that is meant."""

        def answered(choice: str | None) -> None:
            if choice == "yes":
                self._ask("finish", "asked to finish: validation and test follow")

        self.app.push_screen(
            Ask(
                "Finish this run now?",
                "The epoch in progress is cut short, validated and recorded; then the test "
                "follows. A finished run can't be resumed.",
                [Choice("yes", "f", "Finish now"), Choice("no", "n", "Train on")],
            ),
            answered,
        )

    def action_start(self) -> None:
        """Train the queued run."""
        self.cnn_app.train(self.run_dir)

    def action_resume(self) -> None:
        """Go on with the run in this process."""

        def resume() -> None:
            check_resumable(self.run_dir)
            self.cnn_app.train(self.run_dir)

        self.attempt(resume)

    @work(exclusive=True, group="background", exit_on_error=False)
    async def action_background(self) -> None:
        """Train the run in a process of its own."""
        place = self.cnn_app.workplace

        def start() -> str:
            try:
                check_resumable(self.run_dir)
                start_in_background(self.run_dir, data_dir=place.data_dir, device=place.device)
            except (CnnTuiError, OSError) as error:
                return str(error)
            return ""

        self.tell("starting in the background")
        if why := await asyncio.to_thread(start):
            self.tell_error(why)

    @work(exclusive=True, group="background", exit_on_error=False)
    async def action_send(self) -> None:
        """Ask where to train the run, and send it there."""
        from cnn_tui.screens.send import SendTo, send_runs

        def check() -> bool:
            check_resumable(self.run_dir)
            return True

        if self.attempt(check):
            to = await self.app.push_screen_wait(SendTo(self.run_dir.name))
            if to is not None:
                await send_runs(self, [self.run_dir], to)

    def action_tags(self) -> None:
        """Change the words to find the run by."""
        tags = (self.run_watch.document or {}).get("tags", [])

        def answered(text: str | None) -> None:
            if text is not None:
                words = [word.strip() for word in text.split(",")]
                chosen = list(dict.fromkeys(filter(None, words)))
                self._label(tags=chosen)

        self.app.push_screen(
            Prompt("Tags", ", ".join(map(str, tags)), text="Words, with commas between them."),
            answered,
        )

    def action_note(self) -> None:
        """Change the note on the run."""
        notes = str((self.run_watch.document or {}).get("notes", ""))

        def answered(text: str | None) -> None:
            if text is not None:
                self._label(notes=text)

        self.app.push_screen(NoteEditor(f"Note on {self.run_dir.name}", notes), answered)

    def action_compare(self) -> None:
        """Show the run beside another one."""

        def answered(other: Path | None) -> None:
            if other is not None:
                self.cnn_app.compare([self.run_dir, other])

        runs_dir = self.cnn_app.workplace.runs_dir
        self.app.push_screen(
            PickRun("Compare with", runs_dir, without=[self.run_dir.name]), answered
        )

    def action_inspect(self) -> None:
        """Look into the network."""
        self.cnn_app.look_inside(self.run_dir)

    def action_clone(self) -> None:
        """Open the form with the settings of the run."""
        self.cnn_app.new_experiment(self.run_dir)

    def action_command(self) -> None:
        """Copy the command that repeats the run."""
        command = headless_command(self.run_dir)
        self.app.copy_to_clipboard(command)
        self.tell(f"copied: {command}")

    def action_files(self) -> None:
        """Show path and log."""
        self.app.push_screen(RunFiles(self.run_dir))

    def _label(self, **labels: Any) -> None:
        from cnn_core.runs.labels import set_labels  # loads the models of the configuration

        self.attempt(lambda: set_labels(self.run_dir, **labels))

    def _ask(self, kind: str, said: str, value: float | None = None) -> None:
        def ask() -> bool:
            send_request(self.run_dir, kind, value)
            return True

        if self.attempt(ask):
            self.tell(said)

    def _base_lr(self) -> float | None:
        """Return the rate that was last asked for, else that of the settings."""
        watch = self.run_watch
        if watch.feed is None or watch.document is None:
            return None
        for _, event in reversed(watch.feed.log):
            if isinstance(event, LearningRateSet):
                return event.lr
        optim = watch.document["config"].get("optim")
        return optim.get("lr") if isinstance(optim, dict) else None


def check_lr(text: str) -> None:
    """Raise UserError unless the text is a learning rate: above 0 and finite."""
    try:
        lr = float(text)
    except ValueError:
        lr = 0.0
    if not 0 < lr < float("inf"):
        raise UserError(f"learning rate {text!r}: expected a number above 0, such as 0.01 or 1e-3")

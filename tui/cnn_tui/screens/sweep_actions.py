"""What one can do with a sweep, in the list and on its own page."""

import asyncio
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType

from cnn_core.errors import CnnTuiError, UserError
from cnn_core.search.folder import SweepFolder, begin_sweep
from cnn_core.search.removal import delete_sweep
from cnn_tui.screens.dialogs import Ask, Choice, Prompt
from cnn_tui.screens.following import FollowingPage
from cnn_tui.sweep_watch import SweepWatch

_NEED_A_SWEEP = frozenset({"go_on", "stop", "extend", "log", "delete"})


class SweepActions(FollowingPage):
    """The actions; a page tells which sweep is meant."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "go_on", "Start", id="sweep.start", tooltip="Start the sweep, or go on"),
        Binding("x", "stop", "Stop", id="sweep.stop", tooltip="Stop its trials with checkpoints"),
        Binding("e", "extend", "Extend", id="sweep.extend", tooltip="Ask for more trials"),
        Binding("o", "log", "Log", id="sweep.log", tooltip="Where it lies, and what it logged"),
        Binding(
            "d,delete",
            "delete",
            "Delete",
            id="sweep.delete",
            key_display="d",
            tooltip="Delete the sweep, with its runs or without; asks first",
        ),
    ]

    def meant(self) -> SweepWatch | None:
        """Return the sweep that is meant; to be overridden."""
        raise NotImplementedError

    def deleted(self) -> None:
        """Follow a deletion; to be overridden."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what needs a sweep where there is none."""
        if action in _NEED_A_SWEEP and self.meant() is None:
            return None
        return super().check_action(action, parameters)

    def _readable(self) -> tuple[SweepWatch, SweepFolder] | None:
        watch = self.meant()
        if watch is None:
            return None
        if watch.folder is None or watch.error:
            self.tell_error(watch.error or "the sweep is being read")
            return None
        return watch, watch.folder

    # --- training ------------------------------------------------------------------------------

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_go_on(self) -> None:
        """Start its trials, or go on with those left, in a process of its own."""
        found = self._readable()
        if found is None:
            return
        watch, folder = found
        if watch.training or self.cnn_app.sweep_starts.alive(watch.name):
            self.tell(f"{watch.name} is in training already")
        elif watch.state == "done" and not (watch.results and watch.results.counts().get("failed")):
            self.tell(f"all trials of {watch.name} have ended; extend it to have more")
        else:
            await self.start(folder, watch.name)

    async def start(self, folder: SweepFolder | None, reference: str) -> None:
        """Ask how many and where, and start; what is wrong with it is told."""
        from cnn_core.search.sweep_files import find_sweep_file, load_sweep
        from cnn_tui.screens.start_sweep import StartSweep

        try:
            if folder is None:
                sweep, base = await asyncio.to_thread(
                    lambda: load_sweep(find_sweep_file(reference))
                )
            else:
                sweep, base = folder.sweep, folder.base
        except (CnnTuiError, OSError) as error:
            self.tell_error(error)
            return
        asked = await self.app.push_screen_wait(StartSweep(sweep, base, self.cnn_app.state))
        if asked is None:
            return
        self.cnn_app.save_state()
        self.tell(f"starting {sweep.name}: checking the preset and the data")
        await self._start(reference, asked.trials, asked.launch)

    async def _start(self, reference: str, trials: int | None, launch: dict[str, object]) -> bool:
        starts = self.cnn_app.sweep_starts
        try:
            await asyncio.to_thread(starts.start, reference, trials=trials, launch=launch)
        except (CnnTuiError, OSError) as error:
            self.tell_error(error)
            return False
        finally:
            self.look_now()
        return True

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_stop(self) -> None:
        """Ask all who train its trials to stop with checkpoints."""
        found = self._readable()
        if found is None:
            return
        watch, folder = found
        starts = self.cnn_app.sweep_starts
        if not watch.training and not starts.alive(watch.name):
            self.tell(f"{watch.name} is not in training")
            return
        try:
            await asyncio.to_thread(starts.stop, folder, trained=watch.training)
        except OSError as error:
            self.tell_error(error)
            return
        self.tell(f"{watch.name} stops, each trial with a checkpoint")
        self.look_now()

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_extend(self) -> None:
        """Ask for a larger number of trials, and train them."""
        found = self._readable()
        if found is None:
            return
        from cnn_tui.screens.start_sweep import whole

        watch, folder = found
        sweep = folder.sweep
        most = sweep.combinations if sweep.search.sampler == "grid" else None
        if most is not None and sweep.wanted >= most:
            self.tell(f"{sweep.name} has all {most} combinations of its grid")
            return

        def check(text: str) -> int:
            number = whole(text)
            if number <= sweep.wanted:
                raise UserError(f"{number} are not more than the {sweep.wanted} there are")
            if most is not None and number > most:
                raise UserError(f"the grid has {most} combinations")
            return number

        proposed = 2 * sweep.wanted if most is None else min(2 * sweep.wanted, most)
        answer = await self.app.push_screen_wait(
            Prompt(
                f"Extend {sweep.name}",
                str(proposed),
                text=f"It has {sweep.wanted} trials. How many shall it have in all?",
                check=check,
            )
        )
        if answer is None:
            return
        if watch.training or self.cnn_app.sweep_starts.alive(watch.name):
            try:
                await asyncio.to_thread(
                    begin_sweep, folder.runs_dir, sweep.name, trials=check(answer), launch={}
                )
            except (CnnTuiError, OSError) as error:
                self.tell_error(error)
            else:
                self.tell("its workers end with the old number; r then goes on")
            self.look_now()
        else:
            await self._start(sweep.name, check(answer), {})

    # --- the rest ------------------------------------------------------------------------------

    def action_log(self) -> None:
        """Show the sweep's folder and log."""
        from cnn_tui.screens.run_files import RunFiles

        if watch := self.meant():
            self.app.push_screen(RunFiles(self._sweep_dir(watch), "Files of the sweep"))

    @work(exclusive=True, group="action", exit_on_error=False)
    async def action_delete(self) -> None:
        """Delete the sweep, once it was said whether its runs go too."""
        found = self._readable()
        if found is None:
            return
        watch, folder = found
        if watch.training or self.cnn_app.sweep_starts.alive(watch.name):
            self.tell_error(f"{watch.name} is in training; stop it first (x)")
            return
        trials = watch.results.trials if watch.results is not None else ()
        runs = [trial.run for trial in trials if trial.run is not None and trial.row is not None]
        choices = [Choice("sweep", "s", f"the sweep only; its {_runs(runs)} stay")]
        if runs:
            choices.append(Choice("runs", "r", f"the sweep and its {_runs(runs)}, for good"))
        storage = folder.sweep.search.storage
        text = "The list of its trials and its study go."
        if storage is not None:
            text = "The list of its trials goes; its study stays in its storage."
        answer = await self.app.push_screen_wait(
            Ask(f"Delete {watch.name}?", f"{text} esc keeps all.", choices)
        )
        if answer is None:
            return
        try:
            gone = runs if answer == "runs" else []
            await asyncio.to_thread(delete_sweep, folder, gone)
        except (CnnTuiError, OSError) as error:
            self.tell_error(error)
        else:
            self.tell(f"{watch.name} was deleted")
            self.deleted()
        self.look_now()

    def _sweep_dir(self, watch: SweepWatch) -> Path:
        from cnn_core.search.begun import SWEEPS

        return self.cnn_app.workplace.runs_dir / SWEEPS / watch.name


def _runs(runs: list[str]) -> str:
    return "1 run with its checkpoints" if len(runs) == 1 else f"{len(runs)} runs with checkpoints"

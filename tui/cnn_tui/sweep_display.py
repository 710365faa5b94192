"""A sweep in progress, shown without the app: a line for each trial that ended, and a bar."""

import sys

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cnn_core.launch.parent import end_with_parent
from cnn_core.search.drive import Drive
from cnn_core.search.results import SweepReader, SweepResults, TrialRow
from cnn_core.search.sweep_config import name_of
from cnn_tui.output import literal, narrate_on, stderr
from cnn_tui.signals import asked_by_signals

_INTERVAL_S = 0.5


def follow(drive: Drive, reader: SweepReader) -> SweepResults:
    """Show the trials until all workers have ended; return what they found.

    Ctrl-C and SIGTERM ask the workers to stop with checkpoints, a further Ctrl-C at once.
    """
    with asked_by_signals() as asked, _Display(reader) as display:
        end_with_parent()
        told = False
        while True:
            if asked.is_set():
                asked.clear()
                display.say(
                    "ending at once"
                    if drive.stopping
                    else "stopping all trials with checkpoints; Ctrl-C aborts at once"
                )
                drive.stop()
            results = reader.read()
            display.show(results)
            if not drive.poll(results):
                break
            if drive.waiting and not told:
                told = True
                display.say("waiting for trials that others train; Ctrl-C leaves them to it")
            asked.wait(_INTERVAL_S)
        results = reader.read()
        display.show(results)
        return results


class _Display:
    """Lines on stderr, and a bar below them on a terminal."""

    def __init__(self, reader: SweepReader) -> None:
        self._metric = reader.folder.sweep.search.metric
        self._console = stderr()
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            refresh_per_second=2,
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", total=None)
        self._told: set[tuple[int, str | None]] | None = None

    def __enter__(self) -> "_Display":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """Write a line."""
        narrate_on(self._console, text)

    def show(self, results: SweepResults) -> None:
        """Tell of trials that ended since, and how far the sweep is."""
        ended = {(trial.number, trial.run): trial for trial in results.trials if trial.ended}
        if self._told is None:
            self._told = set(ended)
            if ended:
                self.say(f"{len(ended)} of {results.wanted} trials have ended before")
        for key in sorted(ended.keys() - self._told, key=lambda key: key[0]):
            self._told.add(key)
            self.say(self._line(ended[key], best=ended[key] is results.best))
        running = sum(trial.status == "running" for trial in results.trials)
        best = f", best {results.best.value:.4f}" if results.best else ""
        self._bar.update(
            self._task,
            description=f"{running} in training{best}",
            completed=results.ended,
            total=results.wanted,
        )

    def _line(self, trial: TrialRow, *, best: bool) -> str:
        values = ", ".join(f"{key} {name_of(value)}" for key, value in trial.params.items())
        figure = "" if trial.value is None else f"  {self._metric} {trial.value:.4f}"
        figure += "  best" if best else ""
        error = f": {literal(trial.error).plain}" if trial.error else ""
        return f"trial {trial.number}  {trial.status}{figure}  {values}{error}"

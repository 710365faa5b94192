"""What is shown of a training without the app: live progress, plain lines, JSON, or nothing."""

import sys
import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from cnn_core.training.events import (
    EpochFinished,
    Event,
    Notice,
    Preparing,
    RunFinished,
    RunStarted,
    StepsDone,
    encode,
)
from cnn_tui.output import complain, literal, narrate, narrate_on, stderr
from cnn_tui.wording import describe, describe_epoch, describe_start


class Silence:
    """Nothing: another process shows the run."""

    def show(self, event: Event) -> None:
        """Leave it."""


class Errors:
    """What went wrong, and nothing else."""

    def show(self, event: Event) -> None:
        """Write a line where something did."""
        match event:
            case Notice(level="error", text=text) | RunFinished(error=str(text)):
                complain(f"error: {text}")


class JsonLines:
    """Events as JSON, one a line, on stdout."""

    def show(self, event: Event) -> None:
        """Write the event."""
        sys.stdout.write(encode(event, time.time()) + "\n")
        sys.stdout.flush()


class PlainLines:
    """A line for each thing worth knowing, for logs and pipes."""

    def __init__(self) -> None:
        self._epochs = 0
        self._preparing = ""

    def show(self, event: Event) -> None:
        """Write a line, if the event deserves one."""
        match event:
            case Preparing(what=what, total=total) if what != self._preparing:
                self._preparing = what
                narrate(f"{what}{f' ({total})' if total else ''}")
            case RunStarted():
                self._epochs = event.epochs
                narrate(describe_start(event))
            case EpochFinished():
                speed = f"lr {event.lr:.4g}  {event.images_per_s:,.0f} images/s"
                narrate(f"{describe_epoch(event, self._epochs)}  {speed}")
            case _:
                if line := describe(event):
                    narrate(line)


# Below this many columns a bar has no room beside the figures.
_NARROW = 72


def _columns(*, narrow: bool) -> list[ProgressColumn]:
    # One line always: what is wrapped, or higher than before, leaves rests of itself behind.
    title = TextColumn(
        "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")
    )
    if narrow:
        return [title, TimeRemainingColumn()]
    return [
        SpinnerColumn(),
        title,
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(),
    ]


class LiveProgress:
    """A progress bar with live figures, and a line for each epoch above it."""

    def __init__(self) -> None:
        self._console: Console = stderr()
        self._progress = Progress(
            *_columns(narrow=self._console.width < _NARROW),
            console=self._console,
            refresh_per_second=4,
            transient=True,
        )
        self._task: TaskID | None = None
        self._epochs = self._steps = 0
        self._what = ""

    def __enter__(self) -> "LiveProgress":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, event: Event) -> None:
        """Move the bar or write a line above it."""
        match event:
            case Preparing():
                self._bar(event.what, event.what, event.done, event.total)
            case RunStarted():
                self._epochs, self._steps = event.epochs, event.steps_per_epoch
                done = (event.resumed_epoch or 0) * self._steps + (event.resumed_step or 0)
                narrate_on(self._console, describe_start(event))
                self._bar("training", "training", done, self._epochs * self._steps)
            case StepsDone():
                figures = f"loss {event.loss:.4f}  {event.images_per_s:,.0f} images/s"
                title = f"epoch {event.epoch}/{self._epochs}  {figures}"
                self._bar("training", title, event.global_step, self._epochs * self._steps)
            case EpochFinished():
                style = "bold" if event.best else ""
                narrate_on(self._console, describe_epoch(event, self._epochs), style)
                title = f"epoch {event.epoch}/{self._epochs}  done"
                self._bar("training", title, event.epoch * self._steps, self._epochs * self._steps)
            case _:
                if line := describe(event):
                    narrate_on(self._console, line)

    def _bar(self, what: str, title: str, done: int, total: int) -> None:
        if what != self._what:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._what, self._task = what, self._progress.add_task("")
            # The speed is that of this sitting: a resumed run does not start at zero.
            self._progress.reset(self._task, completed=done)
        assert self._task is not None
        self._progress.update(
            self._task, description=literal(title).plain, completed=done, total=total or None
        )

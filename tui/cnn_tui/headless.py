"""A training shown without the app: live progress, plain lines, or JSON events."""

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Literal, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cnn_core.launch.parent import end_with_parent
from cnn_core.locations import cache_dir
from cnn_core.runs.reader import read_summary
from cnn_core.training.control import Control
from cnn_core.training.events import (
    EpochFinished,
    Event,
    Preparing,
    RunFinished,
    RunStarted,
    StepsDone,
    encode,
)
from cnn_tui.output import literal, narrate, narrate_on, print_facts, print_line, stderr
from cnn_tui.signals import STOPPING, handling, leave_terminal
from cnn_tui.wording import describe, describe_epoch, describe_start, result_rows

if TYPE_CHECKING:
    from cnn_core.training.ranks import Ranks

EXIT_CODES = {"finished": 0, "failed": 1, "diverged": 1, "stopped": 130}
MISTAKE = 2


class Display(Protocol):
    """Shows events as they come."""

    def show(self, event: Event) -> None:
        """Show one event."""


def follow(events: Iterable[Event], display: Display) -> RunFinished:
    """Show every event and return the last one.

    Training does not end because what it prints can't be written, to a file on a full disk say:
    what was lost of JSON is told when it has ended, by the OSError. A reader that left is another
    matter (BrokenPipeError, at once).
    """
    last: Event | None = None
    lost: OSError | None = None
    for event in events:
        error = shown(event, display)
        if isinstance(display, JsonLines):  # all other lines are in the run's folder too
            lost = lost or error
        last = event
    assert isinstance(last, RunFinished)
    if lost is not None:
        raise lost
    return last


def shown(event: Event, display: Display) -> OSError | None:
    """Show an event, and return why that could not be written, if so.

    BrokenPipeError is raised: who read it has left.
    """
    try:
        display.show(event)
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno != errno.EIO:
            return error
        leave_terminal()  # it hung up, and its signal is still to come
    return None


def exit_code(finished: RunFinished) -> int:
    """Return the exit code of a run: 0 finished, 1 failed, 2 the user's mistake, 130 stopped."""
    return MISTAKE if finished.mistake else EXIT_CODES[finished.status]


def train(
    run_dir: Path,
    control: Control,
    *,
    data_dir: Path,
    device: str,
    as_json: bool = False,
    ranks: "Ranks | None" = None,
) -> RunFinished:
    """Train a run, show it, and return its last event.

    Of several processes that train it together, ``ranks``, the first one shows it. Where nobody
    reads any more what is shown, the run is stopped with a checkpoint before the BrokenPipeError
    passes on. Raises UserError where it can't be trained at all.
    """
    from cnn_core.runs.session import train_run  # loads torch
    from cnn_core.training.ranks import ALONE

    events = train_run(
        run_dir,
        control,
        data_dir=data_dir,
        cache_dir=cache_dir(),
        device=device,
        ranks=ranks or ALONE,
    )
    try:
        if ranks is not None and not ranks.first:
            return follow(events, Silence())
        if as_json:
            return follow(events, JsonLines())
        if not sys.stderr.isatty():
            return follow(events, PlainLines())
        with LiveProgress() as display:
            return follow(events, display)
    except BrokenPipeError:
        control.request("stop")
        for _ in events:
            pass
        raise


def show_result(run_dir: Path, finished: RunFinished) -> None:
    """Print what a training has come to, and tell how one that was stopped goes on."""
    print_facts(result_rows(read_summary(run_dir), str(run_dir)))
    if finished.status == "stopped":
        narrate("to go on from here:", command=f"cnn-tui resume {run_dir.name}")


def narrate_abortion(run_dir: Path) -> None:
    """Tell that training ended at once, and how it goes on."""
    command = f"cnn-tui resume {run_dir.name}"
    narrate("aborted; to go on from the last checkpoint:", command=command)


class Stoppable(Protocol):
    """A training, or several one after another, that can be asked to stop with a checkpoint."""

    @property
    def stopping(self) -> bool:
        """Whether that was asked for."""

    def request(self, kind: Literal["stop"], /) -> object:
        """Ask for it."""


@contextmanager
def stopping_on_signals(
    control: Stoppable, ranks: "Ranks | None" = None
) -> Iterator[threading.Event]:
    """Let Ctrl-C, SIGTERM and schedulers ask for a stop with a checkpoint, and a Ctrl-C abort it.

    A closed terminal (SIGHUP) does not end a training: it goes on without one. The end of a
    launcher that has started this process does, as SIGTERM would; so does SIGHUP to one of several
    processes, ``ranks``. Yields what is set once a signal has asked.
    """
    signalled = threading.Event()

    def ask(number: int, _frame: FrameType | None) -> None:
        if control.stopping:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        signalled.set()
        control.request("stop")
        if ranks is not None and not ranks.first:
            return
        # Not through sys.stderr, which the signal may have interrupted in the middle of a write.
        with suppress(OSError):
            os.write(2, b"stopping after this step with a checkpoint; Ctrl-C aborts at once\n")

    def hang_up(number: int, frame: FrameType | None) -> None:
        leave_terminal()
        if ranks is not None:
            ask(number, frame)

    with handling({**dict.fromkeys(STOPPING, ask), signal.SIGHUP: hang_up}):
        end_with_parent()
        yield signalled


class Silence:
    """Nothing: another process shows the run."""

    def show(self, event: Event) -> None:
        """Leave it."""


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


class LiveProgress:
    """A progress bar with live figures, and a line for each epoch above it."""

    def __init__(self) -> None:
        self._console: Console = stderr()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("eta"),
            TimeRemainingColumn(),
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
                print_line(self._console, describe_epoch(event, self._epochs), style)
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

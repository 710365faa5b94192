"""A training shown without the app: live progress, plain lines, or JSON events."""

import errno
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Protocol

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

from cnn_core.training.control import Control
from cnn_core.training.events import (
    EpochFinished,
    Event,
    LearningRateSet,
    Notice,
    Paused,
    Preparing,
    RunFinished,
    RunStarted,
    StepsDone,
    TestEvaluated,
    Unpaused,
    encode,
)
from cnn_tui.output import literal, narrate, narrate_on, percent, print_line, seconds, stderr
from cnn_tui.signals import handling, leave_terminal

EXIT_CODES = {"finished": 0, "failed": 1, "diverged": 1, "stopped": 130}
MISTAKE = 2


class Display(Protocol):
    """Shows events as they come."""

    def show(self, event: Event) -> None:
        """Show one event."""


def follow(events: Iterable[Event], display: Display) -> RunFinished:
    """Show every event and return the last one."""
    last: Event | None = None
    for event in events:
        try:
            display.show(event)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            leave_terminal()  # it hung up, and its signal is still to come
        last = event
    assert isinstance(last, RunFinished)
    return last


def exit_code(finished: RunFinished) -> int:
    """Return the exit code of a run: 0 finished, 1 failed, 2 the user's mistake, 130 stopped."""
    return MISTAKE if finished.mistake else EXIT_CODES[finished.status]


@contextmanager
def stopping_on_signals(control: Control) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM ask for a stop with a checkpoint, and a second one abort.

    A closed terminal (SIGHUP) does not end a training: it goes on without one.
    """

    def ask(_number: int, _frame: FrameType | None) -> None:
        if control.stopping:
            raise KeyboardInterrupt
        control.request("stop")
        # Not through sys.stderr, which the signal may have interrupted in the middle of a write.
        with suppress(OSError):
            os.write(2, b"stopping after this step with a checkpoint; once more aborts at once\n")

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        leave_terminal()

    with handling({signal.SIGINT: ask, signal.SIGTERM: ask, signal.SIGHUP: hang_up}):
        yield


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


def describe_start(event: RunStarted) -> str:
    """Return the lines at the start of a training."""
    threads = f"{event.threads} {'thread' if event.threads == 1 else 'threads'}"
    lines = [
        f"{event.train:,} train, {event.val:,} val and {event.test:,} test images of "
        f"{len(event.classes):,} classes",
        f"{event.params_total:,} parameters, {event.params_trainable:,} of them train",
        f"on {event.device}, {threads}, {event.precision}, batch size {event.batch_size}",
    ]
    if event.resumed_epoch is not None:
        lines.append(
            f"going on in epoch {event.resumed_epoch + 1}, after step {event.resumed_step}"
        )
    return "\n".join(lines)


def describe_epoch(event: EpochFinished, epochs: int) -> str:
    """Return the figures of an epoch in one line of at most 80 characters."""
    train = f"loss {event.train_loss:.4f} acc {percent(event.train_acc):>7}"
    parts = [f"epoch {event.epoch:>{len(str(epochs))}}/{epochs}", train]
    if event.val_loss is not None:
        parts.append(f"val {event.val_loss:.4f} acc {percent(event.val_acc):>7}")
    parts.append(f"{seconds(event.seconds)}{'  best' if event.best else ''}")
    return "  ".join(parts)


def describe(event: Event) -> str | None:
    """Return a line for an event that has nothing to do with progress, if it deserves one."""
    match event:
        case Notice(level=level, text=text):
            return f"warning: {text}" if level == "warning" else text
        case Paused():
            return "paused; cnn-tui unpause goes on"
        case Unpaused():
            return "going on"
        case LearningRateSet(lr=lr):
            return f"learning rate set to {lr:g}"
        case TestEvaluated():
            top5 = f"  top-5 {percent(event.top5)}" if event.top5 is not None else ""
            return (
                f"test of {event.checkpoint} (epoch {event.epoch})  loss {event.loss:.4f}  "
                f"acc {percent(event.acc)}{top5}"
            )
        case RunFinished(status=status, error=error) if error:
            return f"{status}: {error}"
    return None


def result_rows(summary: dict[str, Any], path: str) -> list[tuple[str, str]]:
    """Return the final table of a run from its summary."""
    best, test, last = summary["best"], summary["test"], summary["test_last"]
    rows = [("status", summary["status"])]
    if best["epoch"] is not None:
        val = percent(best["val_acc"])
        accuracy = f", validation accuracy {val}" if val else ""
        rows.append(("best epoch", f"{best['epoch']} of {summary['epoch']}{accuracy}"))
    if test["acc"] is not None:
        top5 = f", top-5 {percent(test['top5'])}" if test["top5"] is not None else ""
        rows.append(("test accuracy", f"{percent(test['acc'])} (best weights{top5})"))
    if last["acc"] is not None and last["checkpoint"] != test["checkpoint"]:
        rows.append(("", f"{percent(last['acc'])} (last weights)"))
    timing = summary["timing"]
    speed = timing["images_per_s"]
    rate = f", {speed:,.0f} images/s in training" if speed is not None else ""
    rows.append(("time", f"{seconds(timing['total_s'])}{rate}"))
    rows.append(("run", path))
    return rows

"""A training shown without the app: live progress, plain lines, or JSON events."""

import errno
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Literal, Protocol

from cnn_core.flag import Flag
from cnn_core.launch.parent import end_with_parent
from cnn_core.locations import cache_dir
from cnn_core.runs.reader import read_summary
from cnn_core.training.control import Control
from cnn_core.training.events import Event, RunFinished
from cnn_tui.notify import Notifier
from cnn_tui.output import is_quiet, narrate, print_facts
from cnn_tui.run_display import Errors, JsonLines, LiveProgress, PlainLines, Silence
from cnn_tui.signals import STOPPING, handling, leave_terminal
from cnn_tui.wording import result_rows

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
    notifier: Notifier,
    data_dir: Path,
    device: str,
    as_json: bool = False,
    ranks: "Ranks | None" = None,
) -> RunFinished:
    """Train a run, show it, tell of its end, and return its last event.

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
    if ranks is not None and not ranks.first:
        return follow(events, Silence())
    events = notifier.watched(run_dir, events)
    try:
        if as_json:
            return follow(events, JsonLines())
        if is_quiet():
            return follow(events, Errors())
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
def stopping_on_signals(control: Stoppable, ranks: "Ranks | None" = None) -> Iterator[Flag]:
    """Let Ctrl-C, SIGTERM and schedulers ask for a stop with a checkpoint, and a Ctrl-C abort it.

    A closed terminal (SIGHUP) does not end a training: it goes on without one. The end of a
    launcher that has started this process does, as SIGTERM would; so does SIGHUP to one of several
    processes, ``ranks``. Yields what is set once a signal has asked.
    """
    signalled = Flag()

    def ask(number: int, _frame: FrameType | None) -> None:
        if control.stopping:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        signalled.set()
        control.request("stop")
        if ranks is not None and not ranks.first:
            return
        if is_quiet():
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

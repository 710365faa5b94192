"""Running the app on a terminal that may go away, beside a training that must not."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from textual.app import App

from cnn_tui.driver import PatientDriver
from cnn_tui.signals import STOPPING, handling, leave_terminal

STOPPED = 130


@contextmanager
def guarded(app: App[Any], on_stop: Callable[[], None]) -> Iterator[None]:
    """Handle signals while the app runs and while its training is awaited after it.

    Put ``app.run()`` and the wait for the training inside the block. Ctrl-C, SIGTERM and
    schedulers' signals call ``on_stop``, which asks for a checkpoint and the end, and end the app
    with the return code 130; once the app has ended, a further Ctrl-C raises KeyboardInterrupt.
    SIGHUP ends the app alone, unasked, and leaves the terminal.
    """
    asked = False

    def end() -> None:
        on_stop()
        app.exit(return_code=STOPPED)

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        before, asked = asked, True  # at once: the next signal may come within this handler
        if app._loop is not None:
            # Not in the handler, which may have interrupted the app while it holds a lock.
            app._loop.call_soon_threadsafe(end)
        elif not before:
            end()
        elif number == signal.SIGINT:
            raise KeyboardInterrupt

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        if app._loop is not None and isinstance(app._driver, PatientDriver):
            app._driver.hang_up()
        else:
            app.exit()
            leave_terminal()

    with handling({**dict.fromkeys(STOPPING, stop), signal.SIGHUP: hang_up}):
        yield


def over_ssh(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether this session came through SSH, inside tmux or screen too."""
    return any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_TTY"))

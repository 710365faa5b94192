"""What a signal means to this process: handlers for a while, and a terminal left behind."""

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType

Handler = Callable[[int, FrameType | None], None]


@contextmanager
def handling(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    """Handle these signals inside the block, in the main thread; afterwards as before."""
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def asked_by_signals() -> Iterator[threading.Event]:
    """Yield what Ctrl-C and SIGTERM set inside the block; without its terminal this goes on."""
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        leave_terminal()

    with handling({signal.SIGINT: ask, signal.SIGTERM: ask, signal.SIGHUP: hang_up}):
        yield asked


def leave_terminal() -> None:
    """Point the streams that the lost terminal held at the null device."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        # Not isatty: a terminal that hung up denies being one. Files and pipes stay.
        with suppress(OSError):
            if stat.S_ISCHR(os.fstat(descriptor).st_mode):
                os.dup2(null, descriptor)
    os.close(null)

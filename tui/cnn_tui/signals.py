"""What a signal means to this process: handlers for a while, and a terminal left behind."""

import os
import signal
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType

from cnn_core.flag import Flag

# What asks for a stop with a checkpoint. Machines send some of them twice, or several: a scheduler
# when time is short and when it is over, a launcher to those that the scheduler has told already.
# Only a person's Ctrl-C after one of them means at once. SLURM (sbatch --signal), Grid Engine and
# LSF send SIGUSR1 or SIGUSR2, as they are told.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)

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
def asked_by_signals() -> Iterator[Flag]:
    """Yield what the first signal of ``STOPPING`` and each Ctrl-C set inside the block.

    Without its terminal the process goes on.
    """
    asked = Flag()
    told = False

    def ask(number: int, _frame: FrameType | None) -> None:
        nonlocal told
        if number == signal.SIGINT or not told:
            asked.set()
        told = True

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        leave_terminal()

    with handling({**dict.fromkeys(STOPPING, ask), signal.SIGHUP: hang_up}):
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

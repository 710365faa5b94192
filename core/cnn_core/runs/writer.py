"""The one who writes a run: events to the log, and what they amount to into the summary."""

import contextlib
import time
from pathlib import Path
from typing import Self

from cnn_core.files import write_atomically
from cnn_core.runs.encoding import json_bytes
from cnn_core.runs.event_log import EVENTS, EventAppender
from cnn_core.runs.lock import RunLock
from cnn_core.runs.log import append_log
from cnn_core.runs.reader import SUMMARY, fold_events, read_config
from cnn_core.runs.requests import clear_requests
from cnn_core.training.events import (
    EpochFinished,
    Event,
    Notice,
    RunFinished,
    RunStarted,
    TestEvaluated,
    encode,
)


class RunWriter:
    """Context manager that holds a run's lock and records its events; resumes where it stood.

    Every event reaches the operating system at once, so that a process that dies loses at
    most the line it was writing. Only RunFinished forces log and summary to the disk: a power
    cut in between may lose the last seconds of the log, never a checkpoint (synced by those
    who write it). Entering raises UserError if another process writes the run, or if the
    folder is no run; writing raises OSError if the disk is full.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> Self:
        read_config(self._run_dir)  # before the lock makes a file in a folder that is no run
        with contextlib.ExitStack() as stack:
            stack.enter_context(RunLock(self._run_dir))
            clear_requests(self._run_dir)
            self._log = stack.enter_context(EventAppender(self._run_dir / EVENTS))
            self._summary = fold_events(self._run_dir)
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._exit.close()

    def write(self, event: Event) -> None:
        """Record an event that happens now."""
        now = time.time()
        before = self._summary.status
        self._log.append(encode(event, now).encode(errors="backslashreplace"))
        self._summary.fold(now, event)
        if isinstance(event, RunFinished):
            self._log.sync()
            self._save_summary(sync=True)
        elif (
            isinstance(event, RunStarted | EpochFinished | TestEvaluated)
            or self._summary.status != before
        ):
            self._save_summary(sync=False)
        if isinstance(event, Notice) and event.level == "warning":
            self.log(f"warning: {event.text}")

    def log(self, text: str) -> None:
        """Append text, such as a traceback, to log.txt."""
        append_log(self._run_dir, text)

    def _save_summary(self, *, sync: bool) -> None:
        content = json_bytes(self._summary.document())
        write_atomically(self._run_dir / SUMMARY, lambda file: file.write(content), sync=sync)

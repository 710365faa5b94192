"""The one who writes a run: events to the log, and what they amount to into the summary."""

import contextlib
import time
from pathlib import Path
from typing import Self

from cnn_core.errors import UserError
from cnn_core.files import stamp_of, write_atomically
from cnn_core.runs.directory import check_own_files
from cnn_core.runs.encoding import json_bytes
from cnn_core.runs.event_log import EVENTS, EventAppender
from cnn_core.runs.lock import RunHeldError, RunLock, is_live
from cnn_core.runs.log import append_log
from cnn_core.runs.reader import CONFIG, SUMMARY, fold_events, read_config, read_labels
from cnn_core.runs.requests import clear_requests
from cnn_core.runs.summary_state import RunSummary
from cnn_core.training.events import (
    EpochFinished,
    Event,
    Notice,
    RunFinished,
    RunStarted,
    TestEvaluated,
    encode,
)

# Share of the time that writing summaries may take: they grow with every epoch, and a run of ten
# thousand short ones would spend most of its time on them.
TIME_SHARE = 0.02


class RunWriter:
    """Context manager that holds a run's lock and records its events; resumes where it stood.

    Every event reaches the operating system at once, so that a process that dies loses at
    most the line it was writing. Only RunFinished forces log and summary to the disk: a power
    cut in between may lose the last seconds of the log, never a checkpoint (synced by those
    who write it). Where epochs are short the summary is some of them behind the log. Name, notes
    and tags may be changed meanwhile: every summary has those that config.toml holds. Entering
    raises UserError if another process writes the run, or if the folder is no run; writing raises
    OSError if the disk is full, and RunTakenError if another machine has taken the run over.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._exit = contextlib.ExitStack()
        self._next_summary = 0.0
        self._summary_is_behind = False
        self._appended: Event | None = None

    def __enter__(self) -> Self:
        self._config_stamp = stamp_of(self._run_dir / CONFIG)
        read_config(self._run_dir)  # before the lock makes a file in a folder that is no run
        check_own_files(self._run_dir)
        with contextlib.ExitStack() as stack:
            self._lock = stack.enter_context(RunLock(self._run_dir))
            clear_requests(self._run_dir)
            self._log = stack.enter_context(EventAppender(self._run_dir / EVENTS))
            self._summary = fold_events(self._run_dir)
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._summary_is_behind and self._lock.is_ours:
            with contextlib.suppress(OSError):  # it can be made from the log
                self._save_summary(sync=False)
        self._exit.close()
        # Whoever set labels since the last summary left the next one to us. The run is recorded
        # whether that succeeds or not.
        if stamp_of(self._run_dir / CONFIG) != self._config_stamp:
            with contextlib.suppress(UserError, OSError):
                refresh_summary(self._run_dir)

    def write(self, event: Event) -> None:
        """Record an event that happens now; where OSError is raised, it may be tried again."""
        self._lock.check()
        now = time.time()
        before = self._summary.status
        if event is not self._appended:  # else the disk took the line, and not what follows it
            self._log.append(encode(event, now).encode(errors="backslashreplace"))
            self._summary.fold(now, event)
            self._appended = event
        if isinstance(event, RunFinished):
            self._log.sync()
            self._save_summary(sync=True)
        elif isinstance(event, RunStarted | TestEvaluated) or self._summary.status != before:
            self._try_summary()
        else:
            self._summary_is_behind |= isinstance(event, EpochFinished)
            if self._summary_is_behind and time.monotonic() >= self._next_summary:
                self._try_summary()
        if isinstance(event, Notice) and event.level != "info":
            with contextlib.suppress(OSError):  # the event is recorded, and tells the same
                self.log(f"{event.level}: {event.text}")

    def log(self, text: str) -> None:
        """Append text, such as a traceback, to log.txt."""
        append_log(self._run_dir, text)

    def _try_summary(self) -> None:
        """Save the summary if the disk takes it: it can be made from the log."""
        self._summary_is_behind = True
        try:
            self._save_summary(sync=False)
        except FileNotFoundError:  # the folder is gone, and the log with it
            raise
        except OSError:
            self._next_summary = 0.0

    def _save_summary(self, *, sync: bool) -> None:
        began = time.monotonic()
        self._take_labels()
        _write_summary(self._run_dir, self._summary, sync=sync)
        ended = time.monotonic()
        self._next_summary = ended + (ended - began) / TIME_SHARE
        self._summary_is_behind = False

    def _take_labels(self) -> None:
        """Take name, notes and tags from config.toml, if it was replaced since the last look."""
        stamp = stamp_of(self._run_dir / CONFIG)
        if stamp == self._config_stamp:
            return
        self._config_stamp = stamp
        try:
            self._summary.relabel(read_labels(self._run_dir))
        except UserError as error:  # broken by hand: no reason to end a training
            self.log(f"warning: {error}")


def refresh_summary(run_dir: Path) -> None:
    """Make summary.json anew from the run's other files, unless a process writes the run.

    That one does so itself, at the latest when it lets go of the run. Raises UserError for a
    folder that is no run, and OSError where nothing can be written.
    """
    while not is_live(run_dir):
        stamp = stamp_of(run_dir / CONFIG)
        # One that takes hold of the run right now reads all files anew.
        with contextlib.suppress(RunHeldError), RunLock(run_dir):
            _write_summary(run_dir, fold_events(run_dir), sync=True)
        if stamp_of(run_dir / CONFIG) == stamp:
            return  # else somebody took us for the one who writes the run


def catch_up_summary(run_dir: Path) -> None:
    """Make summary.json anew of a run whose process was killed at its very end, if that can be."""
    with contextlib.suppress(OSError, UserError):  # it is made from the log whenever it is read
        refresh_summary(run_dir)


def _write_summary(run_dir: Path, summary: RunSummary, *, sync: bool) -> None:
    content = json_bytes(summary.document())
    write_atomically(run_dir / SUMMARY, lambda file: file.write(content), sync=sync)

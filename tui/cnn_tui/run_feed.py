"""A run as its folder tells it, kept up to date while it is written."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnn_core.runs.clock import RunClock
from cnn_core.runs.follower import EventFollower
from cnn_core.runs.lock import is_live
from cnn_core.runs.reader import read_config, read_created
from cnn_core.runs.series import RunSeries
from cnn_core.runs.summary_state import RunSummary
from cnn_core.training.events import (
    ClassesValidated,
    EpochFinished,
    Event,
    Preparing,
    RunFinished,
    RunStarted,
    StepsDone,
    TestEvaluated,
)

_LIVENESS_INTERVAL_S = 1.0
_ALIVE = ("running", "paused")

# Nobody reads thousands of lines here, and each takes a kilobyte; the run's file has them all.
LOG_KEPT = 500


@dataclass(slots=True)
class RunFeed:
    """Folds a run's events as they come; ``poll`` reads files, so call it off the event loop.

    ``started``, ``steps``, ``epoch``, ``preparing`` and ``finished`` are the latest events of
    their kinds in this sitting (None: not yet); ``log`` holds the latest of all others, with their
    times, and ``logged`` counts them all.
    """

    run_dir: Path
    series: RunSeries = field(default_factory=RunSeries)
    started: RunStarted | None = None
    steps: StepsDone | None = None
    epoch: EpochFinished | None = None
    preparing: Preparing | None = None
    finished: RunFinished | None = None
    tests: dict[str, TestEvaluated] = field(default_factory=dict)
    log: list[tuple[float, Event]] = field(default_factory=list)
    logged: int = 0
    status: str = "queued"
    began: float | None = None
    latest: float | None = None
    _clock: RunClock = field(init=False)
    _summary: RunSummary = field(init=False)
    _follower: EventFollower = field(init=False)
    _restarts: int = 0
    _looked: float = 0.0
    _live: bool = False

    def __post_init__(self) -> None:
        self._follower = EventFollower(self.run_dir)
        self._forget()

    @property
    def document(self) -> dict[str, Any]:
        """The run's summary without its history, with the status as it is now."""
        return self._summary.document() | {"status": self.status}

    def poll(self) -> bool:
        """Take in what was written since the last call; return whether anything changed.

        Raises UserError if the run's config.toml is missing or damaged.
        """
        timed = self._follower.poll()
        if self._follower.restarts != self._restarts:
            self._restarts = self._follower.restarts
            self._forget()
        for moment, event in timed:
            self._fold(moment, event)
        return self._look_whether_live(changed=bool(timed)) or bool(timed)

    def elapsed_s(self, now: float) -> float:
        """Return the seconds of running up to ``now`` (Unix seconds), without the gaps."""
        told = self._clock.total_s()
        return told + max(0.0, now - (self.latest or now)) if self.status in _ALIVE else told

    @property
    def pace(self) -> StepsDone | EpochFinished | None:
        """The latest event of this sitting that tells speed and learning rate."""
        if self.steps is None or self.epoch is None:
            return self.steps or self.epoch
        return self.steps if self.steps.epoch > self.epoch.epoch else self.epoch

    def eta_s(self) -> float | None:
        """Return the seconds until the last epoch ends at the present speed, None if unknown."""
        if self.started is None or self.pace is None or self.status != "running":
            return None
        per_epoch = self.started.steps_per_epoch
        done = self.steps.global_step if self.steps else 0
        if self.epoch is not None:  # whole epochs include the validation
            done = max(done, self.epoch.epoch * per_epoch)
            per_step = self.epoch.seconds / per_epoch
        elif self.pace.images_per_s > 0:
            per_step = self.started.train / per_epoch / self.pace.images_per_s
        else:
            return None
        return max(0.0, (self.started.epochs * per_epoch - done) * per_step)

    def _forget(self) -> None:
        self.series = RunSeries()
        self.started = self.steps = self.epoch = self.preparing = self.finished = None
        self.tests, self.log, self.logged = {}, [], 0
        self.began = self.latest = None
        self._clock = RunClock()
        self._summary = RunSummary(
            self.run_dir.name,
            read_config(self.run_dir),
            read_created(self.run_dir),
            history=False,
        )

    def _fold(self, moment: float, event: Event) -> None:
        self.series.fold(moment, event)
        self._clock.fold(moment, event)
        self._summary.fold(moment, event)
        self.began = self.began or moment
        self.latest = moment
        match event:
            case Preparing():
                self.preparing, self.finished = event, None
            case StepsDone():
                self.steps = event
            case ClassesValidated():  # the series has the latest
                pass
            case _:
                self.log.append((moment, event))
                self.logged += 1
                if len(self.log) > 2 * LOG_KEPT:
                    del self.log[:-LOG_KEPT]
        match event:
            case RunStarted():
                self.started, self.preparing, self.finished = event, None, None
                self.steps = self.epoch = None
            case EpochFinished():
                self.epoch = event
            case TestEvaluated():
                self.tests[event.checkpoint] = event
            case RunFinished():
                self.finished, self.preparing = event, None

    def _look_whether_live(self, *, changed: bool) -> bool:
        """Find the true status; a process that died says nothing, so it is looked for."""
        told = self._summary.status
        now = time.monotonic()
        if told in _ALIVE and (changed or now - self._looked >= _LIVENESS_INTERVAL_S):
            self._looked, self._live = now, is_live(self.run_dir)
        status = "interrupted" if told in _ALIVE and not self._live else told
        before, self.status = self.status, status
        return status != before

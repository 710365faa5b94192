"""Trains what a study lacks, one run after another, until nothing is left or time is up."""

import gc
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cnn_core.errors import CnnTuiError, UserError
from cnn_core.file_lock import FileLock, HeldError
from cnn_core.runs.lock import RunHeldError, RunTakenError
from cnn_core.runs.reader import read_summary
from cnn_core.runs.session import check_startable, new_run, train_run
from cnn_core.studies.matching import ENDED, Runs, fingerprint
from cnn_core.studies.plan import Job
from cnn_core.training.control import Control
from cnn_core.training.events import Event, RunFinished

_LOCK, _PATIENCE_S = ".studies.lock", 60.0


@dataclass(frozen=True, slots=True)
class JobBegan:
    """A job is trained from now on, by a run that may have begun before."""

    job: Job
    run_dir: Path
    place: int
    """Among all jobs, from 1."""


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A job has an end, was left to be gone on with, or can't be done, which ``error`` tells."""

    job: Job
    status: str
    error: str | None


class Reproduction:
    """Trains jobs in this process: what they share is loaded once."""

    def __init__(
        self,
        runs_dir: Path,
        jobs: Sequence[Job],
        *,
        data_dir: Path,
        cache_dir: Path,
        device: str,
        elsewhere: Collection[str] = (),
        budget_s: float | None = None,
    ) -> None:
        """With a budget, the run in training when it is used up is stopped with a checkpoint.

        ``elsewhere`` are the fingerprints of what was trained elsewhere, and is not trained again.
        """
        self._runs_dir, self._jobs = runs_dir, jobs
        self._data_dir, self._cache_dir, self._device = data_dir, cache_dir, device
        self._elsewhere = elsewhere
        self._until = None if budget_s is None else time.monotonic() + budget_s
        self.why_not: dict[str, str] = {}
        """Why arms, by their names, can't be trained here."""
        self._control = Control()
        self.stopping = False
        """Whether no further job shall begin: asked for, or the time is up."""
        self.failed = False
        """Whether a training has failed."""
        self.has_trained = False
        """Whether a training was begun or gone on with."""

    @property
    def is_impossible(self) -> bool:
        """Whether no arm at all can be trained here."""
        names = {job.arm.name for job in self._jobs}
        return bool(names) and names <= self.why_not.keys()

    @property
    def count(self) -> int:
        """The number of jobs."""
        return len(self._jobs)

    def left(self) -> int:
        """Return the number of jobs that can be done and have not ended."""
        runs = Runs(self._runs_dir)
        return sum(
            not self._has_ended(job, runs) for job in self._jobs if job.arm.name not in self.why_not
        )

    def request(self, kind: Literal["stop"]) -> None:
        """End the run in training with a checkpoint, and begin no other; for signals too."""
        self.stopping = True
        self._control.request(kind)

    def work(self) -> Iterator[JobBegan | Event | JobEnded]:
        """Train what has not ended yet; events are those of the run of the last JobBegan."""
        before = Runs(self._runs_dir)
        for place, job in enumerate(self._jobs, start=1):
            self._look_at_clock()
            if self.stopping:
                return
            if job.arm.name not in self.why_not and not self._has_ended(job, before):
                yield from self._train(job, place)
                gc.collect()  # a network that is gone may hold a GPU's memory in cycles

    def look(self) -> None:
        """Find out which arms without a run can't be trained here, and train none."""
        runs = Runs(self._runs_dir)
        for name, job in {job.arm.name: job for job in self._jobs}.items():
            if runs.of(job.experiment) is None and not self._has_ended(job, runs):
                try:
                    check_startable(job.experiment, self._data_dir, self._device)
                except UserError as error:
                    self.why_not[name] = str(error)

    def _has_ended(self, job: Job, runs: Runs) -> bool:
        if runs.has_ended(job.experiment):
            return True
        return bool(self._elsewhere) and fingerprint(job.experiment) in self._elsewhere

    def _train(self, job: Job, place: int) -> Iterator[JobBegan | Event | JobEnded]:
        self._control = Control()
        if self.stopping:  # asked for just before there was this control
            return
        try:
            if (run_dir := self._run_of(job)) is None:
                return
            self.has_trained = True
            yield JobBegan(job, run_dir, place)
            for event in train_run(
                run_dir,
                self._control,
                data_dir=self._data_dir,
                cache_dir=self._cache_dir,
                device=self._device,
            ):
                self._look_at_clock()
                if isinstance(event, RunFinished) and event.mistake:
                    self.why_not[job.arm.name] = event.error or ""
                yield event
            summary = read_summary(run_dir)
        except (HeldError, RunHeldError, RunTakenError) as error:
            yield JobEnded(job, "running", str(error))
        except UserError as error:  # of the preset or the data: other seeds would meet it too
            self.why_not[job.arm.name] = str(error)
            yield JobEnded(job, "impossible", str(error))
        except (CnnTuiError, OSError) as error:
            self.failed = True
            yield JobEnded(job, "failed", str(error))
        else:
            self.failed |= summary["status"] == "failed" and job.arm.name not in self.why_not
            yield JobEnded(job, summary["status"], summary["error"])

    def _run_of(self, job: Job) -> Path | None:
        """Return the run to train, made if it is not there; None where one has ended."""
        row = Runs(self._runs_dir).of(job.experiment)
        if row is None:
            check_startable(job.experiment, self._data_dir, self._device)
            self._runs_dir.mkdir(parents=True, exist_ok=True)
            # Of several that reproduce the same, one makes the run.
            with FileLock(self._runs_dir / _LOCK).held(_PATIENCE_S):
                row = Runs(self._runs_dir).of(job.experiment)
                if row is None:
                    return new_run(self._runs_dir, job.experiment)
        return None if row["status"] in ENDED else self._runs_dir / row["id"]

    def _look_at_clock(self) -> None:
        if self._until is not None and time.monotonic() >= self._until and not self.stopping:
            self.request("stop")

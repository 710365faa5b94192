"""Trains trials of a sweep, one after another, until none is left or a stop is asked for."""

import dataclasses
import gc
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnn_core.errors import CnnTuiError
from cnn_core.preset_files import to_toml
from cnn_core.runs.directory import create_run
from cnn_core.runs.dotted import value_at
from cnn_core.runs.environment import describe_environment
from cnn_core.runs.lock import RunHeldError, RunTakenError
from cnn_core.runs.reader import read_summary
from cnn_core.runs.session import train_run
from cnn_core.runs.writer import catch_up_summary
from cnn_core.search.folder import SweepFolder
from cnn_core.search.keeping import drop_checkpoints
from cnn_core.search.study import Claim, Outcome, Study
from cnn_core.search.sweep_files import experiment_of
from cnn_core.training.control import Control
from cnn_core.training.events import EpochFinished

# Failures in a row after which the fault is not in the trials.
FAILURES_IN_A_ROW = 3
# Times that a trial may be begun from the same epoch: its process died each time.
_ATTEMPTS = 3
_LOOK_S = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class TrialBegan:
    """A trial is being trained from now on."""

    index: int
    run: str | None
    settings: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class TrialEnded:
    """A trial has an end, or was left (``outcome`` None) to be gone on with."""

    index: int
    run: str | None
    outcome: Outcome | None
    value: float | None
    error: str | None


class Worker:
    """Trains a sweep's trials in this process: what they share is loaded once."""

    def __init__(
        self, folder: SweepFolder, *, data_dir: Path, cache_dir: Path, device: str
    ) -> None:
        """Raise UserError where the study can't be had."""
        self._folder, self._study = folder, Study(folder)
        self._data_dir, self._cache_dir, self._device = data_dir, cache_dir, device
        self._environment = describe_environment()
        self._control = Control()
        self._stopping = False
        self._failures = 0
        self._last_request, self._looked = folder.stop_request(), 0.0

    @property
    def control(self) -> Control:
        """The control of the trial in training; another one for each."""
        return self._control

    @property
    def stopping(self) -> bool:
        """Whether no further trial shall be taken."""
        return self._stopping

    def stop(self) -> None:
        """End the trial in training with a checkpoint, and take no other; for signals too."""
        self._stopping = True
        self._control.request("stop")

    def work(self) -> Iterator[TrialBegan | TrialEnded]:
        """Train trials and tell of them."""
        self._drop_checkpoints()  # one that was killed may not have come to its last ones
        frozen = False
        while not self._asked_to_stop():
            claim = self._study.claim()
            if claim is None:
                return
            yield from self._train(claim)
            gc.collect()  # a network that is gone may hold a GPU's memory in cycles
            if not frozen:
                gc.freeze()  # what one trial has loaded and left serves all: not looked at again
                frozen = True

    def _train(self, claim: Claim) -> Iterator[TrialBegan | TrialEnded]:
        self._control = Control()
        if self._stopping:  # asked for while the trial was taken
            self._study.leave(claim)
            return
        try:
            run_dir = self._run_of(claim)
            summary = read_summary(run_dir)
            epoch = int(summary["epoch"])
            if summary["status"] not in ("finished", "diverged"):
                yield TrialBegan(claim.index, claim.run, claim.settings)
                if self._study.taken_in_vain(claim, epoch, _ATTEMPTS):
                    yield self._settled(claim, "failed", None, _died(epoch))
                    return
                pruned = self._follow(claim, run_dir)
                summary = read_summary(run_dir)
            else:  # its end was not told: the process died in between, or at its very end
                catch_up_summary(run_dir)
                pruned = False
        # By a machine that does not see the lock of the claim.
        except (RunHeldError, RunTakenError):
            self._study.leave(claim)
            yield TrialEnded(claim.index, claim.run, None, None, None)
            return
        except (CnnTuiError, OSError) as error:
            yield self._settled(claim, "failed", None, str(error))
            return
        yield self._ended(claim, summary, pruned=pruned)

    def _run_of(self, claim: Claim) -> Path:
        """Return the folder of a trial's run, made if it is not there."""
        runs_dir = self._folder.runs_dir
        if claim.run is not None and (runs_dir / claim.run).is_dir():
            return runs_dir / claim.run
        sweep = self._folder.sweep
        experiment = experiment_of(
            self._folder.base,
            claim.settings,
            name=f"{sweep.name}-{claim.index + 1:03d}",
            tags=[sweep.name],
        )
        return create_run(
            runs_dir,
            experiment.name,
            to_toml(experiment),
            self._environment | {"sweep": {"name": sweep.name, "trial": claim.index + 1}},
            announce=lambda run_id: self._study.sign(claim, run_id),
        )

    def _follow(self, claim: Claim, run_dir: Path) -> bool:
        """Train the run; return whether it was pruned."""
        search = self._folder.sweep.search
        figure = search.figure if search.pruner != "none" else None
        pruned = False
        for event in train_run(
            run_dir,
            self._control,
            data_dir=self._data_dir,
            cache_dir=self._cache_dir,
            device=self._device,
        ):
            self._asked_to_stop()
            if isinstance(event, EpochFinished) and figure is not None and not self._stopping:
                value = getattr(event, figure)
                if value is not None and self._study.report(claim, event.epoch, value):
                    pruned = event.epoch < _epochs(run_dir)
                    if pruned:
                        self._control.request("stop")
        return pruned

    def _ended(self, claim: Claim, summary: dict[str, Any], *, pruned: bool) -> TrialEnded:
        status, error = summary["status"], summary["error"]
        if status == "stopped" and self._stopping and not pruned:
            self._study.leave(claim)
            return TrialEnded(claim.index, claim.run, None, None, None)
        metric = self._folder.sweep.search.metric
        value = value_at(summary, metric)
        if status == "finished" and not (isinstance(value, float) and math.isfinite(value)):
            return self._settled(claim, "failed", None, f"the run has no finite {metric}")
        if status == "stopped":
            return self._settled(claim, "pruned" if pruned else "stopped", value, None)
        outcome: Outcome = status if status in ("finished", "diverged") else "failed"
        return self._settled(claim, outcome, value, error)

    def _settled(
        self, claim: Claim, outcome: Outcome, value: float | None, error: str | None
    ) -> TrialEnded:
        self._study.settle(claim, outcome, value, error)
        self._drop_checkpoints()
        self._failures = self._failures + 1 if outcome == "failed" else 0
        if self._failures >= FAILURES_IN_A_ROW:
            self._folder.request_stop(f"{self._failures} trials in a row failed: {error}")
            self.stop()
        return TrialEnded(claim.index, claim.run, outcome, value, error)

    def _drop_checkpoints(self) -> None:
        with self._folder.changing():
            drop_checkpoints(self._folder, self._study)

    def _asked_to_stop(self) -> bool:
        """Return whether this worker, or all of the sweep's, were asked to stop."""
        if not self._stopping and time.monotonic() - self._looked >= _LOOK_S:
            self._looked = time.monotonic()
            if self._folder.stop_request() != self._last_request:
                self.stop()
        return self._stopping


def _epochs(run_dir: Path) -> int:
    return int(read_summary(run_dir)["epochs"])


def _died(epoch: int) -> str:
    return f"the process died {_ATTEMPTS} times after epoch {epoch}; log.txt may say why"

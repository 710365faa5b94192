"""What a sweep has found so far: its trials with their runs, the best, what matters."""

import dataclasses
import statistics
import warnings
from typing import Any, get_args

from optuna.trial import FrozenTrial, TrialState

from cnn_core.runs.dotted import value_at
from cnn_core.runs.rows import Row, RowReader
from cnn_core.search.folder import SweepFolder
from cnn_core.search.study import ERROR, OUTCOME, Outcome, Study, run_of

# Fewer trials tell nothing of what matters.
_FEWEST = 4


@dataclasses.dataclass(frozen=True, slots=True)
class TrialRow:
    """A trial as of now."""

    number: int
    """From 1."""
    params: dict[str, Any]
    """Values by key; those of a list that are no scalars by their names."""
    status: str
    """A run's status, or "pruned", or "waiting" (to be tried again)."""
    value: float | None
    """The sweep's metric; of a trial that is not at its end, as far as its run has it."""
    run: str | None
    row: Row | None
    """The row of its run (``RowReader``), None where it has none (any more)."""
    error: str | None

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.status in get_args(Outcome)


@dataclasses.dataclass(frozen=True, slots=True)
class SweepResults:
    """All trials in their order, and the best of those that finished."""

    trials: tuple[TrialRow, ...]
    best: TrialRow | None
    wanted: int

    @property
    def open(self) -> int:
        """The number of trials that nobody trains, and somebody could."""
        begun = sum(trial.status in _LEFT for trial in self.trials)
        return begun + max(0, self.wanted - len(self.trials))

    @property
    def ended(self) -> int:
        """The number of trials that have an end."""
        return sum(trial.ended for trial in self.trials)

    def counts(self) -> dict[str, int]:
        """Return how many trials have each status."""
        statuses = [trial.status for trial in self.trials]
        return {status: statuses.count(status) for status in dict.fromkeys(statuses)}


_LEFT = ("waiting", "interrupted")
# Of a trial without an end, by its run's status. One whose run has ended otherwise is about to be
# told so; if its process died in between, the next look for work does.
_STATUSES = {
    "queued": "queued",
    "paused": "paused",
    "running": "running",
    "stopped": "interrupted",
    "interrupted": "interrupted",
}


class SweepReader:
    """Looks at a sweep again and again; reads only what changed. Serves one thread."""

    def __init__(self, folder: SweepFolder) -> None:
        """Raise UserError where the study can't be had."""
        self.folder = folder
        self.study = Study(folder)
        self._rows = RowReader(folder.runs_dir)

    def read(self) -> SweepResults:
        """Return the sweep as of now."""
        trials = tuple(
            self._row(index, trial) for index, trial in sorted(self.study.trials().items())
        )
        finished = [
            trial for trial in trials if trial.status == "finished" and trial.value is not None
        ]
        better = max if self.folder.sweep.search.maximizes else min
        best = better(finished, key=lambda trial: trial.value or 0.0, default=None)
        return SweepResults(trials, best, self.folder.sweep.wanted)

    def importance(self) -> dict[str, float] | None:
        """Return the share of the metric's variance that each parameter explains, largest first.

        fANOVA of a random forest (Hutter, Hoos and Leyton-Brown 2014, "An efficient approach for
        assessing hyperparameter importance", section 3), as Optuna computes it; takes up to some
        seconds. None while too few trials have finished, or all alike.
        """
        import optuna

        finished = [
            trial for trial in self.study.trials().values() if trial.state == TrialState.COMPLETE
        ]
        values = [trial.value for trial in finished if trial.value is not None]
        if len(values) < _FEWEST or statistics.pvariance(values) == 0:
            return None
        varied = [
            key
            for key in self.folder.sweep.parameters
            if len({repr(trial.params[key]) for trial in finished}) > 1
        ]
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of forests that are too small, to developers
            shares = optuna.importance.get_param_importances(
                self.study.optuna, params=varied, evaluator=evaluator
            )
        known = {key: float(share) for key, share in shares.items()}
        return known | {key: 0.0 for key in self.folder.sweep.parameters if key not in known}

    def _row(self, index: int, trial: FrozenTrial) -> TrialRow:
        run = run_of(trial)
        row = self._rows.read(run) if run is not None else None
        outcome = trial.user_attrs.get(OUTCOME) if trial.state.is_finished() else None
        if trial.state == TrialState.WAITING:
            status = "waiting"
        elif outcome is not None:
            status = outcome
        elif row is None:
            status = "queued" if self.study.is_ours(trial) else "running"
        else:
            status = _STATUSES.get(row["status"], "interrupted")
        value = trial.value
        if value is None and row is not None:
            found = value_at(row, self.folder.sweep.search.metric)
            value = found if isinstance(found, float) else None
        error = trial.user_attrs.get(ERROR) or (row["error"] if row else None)
        return TrialRow(index + 1, dict(trial.params), status, value, run, row, error)


def document(reader: SweepReader) -> dict[str, Any]:
    """Return a sweep as one document that JSON can hold."""
    folder, results = reader.folder, reader.read()
    search = folder.sweep.search
    return {
        "name": folder.sweep.name,
        "folder": str(folder.path),
        "metric": search.metric,
        "direction": "maximize" if search.maximizes else "minimize",
        "sampler": search.sampler,
        "pruner": search.pruner,
        "wanted": results.wanted,
        "counts": results.counts(),
        "best": _trial_document(results.best) if results.best else None,
        "importance": reader.importance(),
        "trials": [_trial_document(trial) for trial in results.trials],
    }


def _trial_document(trial: TrialRow) -> dict[str, Any]:
    row = trial.row or {}
    return {
        "trial": trial.number,
        "params": trial.params,
        "status": trial.status,
        "value": trial.value,
        "run": trial.run,
        "epoch": row.get("epoch"),
        "epochs": row.get("epochs"),
        "seconds": value_at(row, "timing.total_s"),
        "error": trial.error,
    }

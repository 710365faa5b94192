"""The checkpoints of a sweep: of all trials, or of the best ones only."""

from optuna.trial import FrozenTrial, TrialState

from cnn_core.runs.log import append_log
from cnn_core.search.folder import SweepFolder
from cnn_core.search.study import Study, run_of


def drop_checkpoints(folder: SweepFolder, study: Study) -> None:
    """Remove the checkpoints of ended trials that are not among the best ``search.keep``.

    Curves, figures and predictions stay. A failed trial keeps its checkpoints to be gone on with.
    Raises OSError where files can't be removed.
    """
    keep = folder.sweep.search.keep
    if keep is None:
        return
    trials = study.trials().values()
    pruned = [trial for trial in trials if trial.state == TrialState.PRUNED]
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    best_first = sorted(finished, key=_value, reverse=folder.sweep.search.maximizes)
    for trial in pruned + best_first[keep:]:
        if (run := run_of(trial)) is None:
            continue
        run_dir = folder.runs_dir / run
        checkpoints = run_dir / "checkpoints"
        files = [] if checkpoints.is_symlink() else sorted(checkpoints.glob("*.pt"))
        for file in files:
            file.unlink(missing_ok=True)
        if files:
            why = f"not among the {keep} best trials of sweep {folder.sweep.name}"
            append_log(run_dir, f"checkpoints removed: {why}")


def _value(trial: FrozenTrial) -> float:
    assert trial.value is not None
    return trial.value

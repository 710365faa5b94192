"""The trials of a sweep: taken, told and looked at; each by one worker at a time."""

import dataclasses
import time
from typing import Any, Literal

import optuna
from filelock import FileLock, Timeout
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.trial import FrozenTrial, TrialState

from cnn_core.errors import UserError, first_line
from cnn_core.runs.directory import is_run_id
from cnn_core.runs.lock import is_live
from cnn_core.search.folder import SweepFolder
from cnn_core.search.space import sampler_for, suggest
from cnn_core.search.storage import open_storage

Outcome = Literal["finished", "pruned", "stopped", "diverged", "failed"]
_STATES = {"finished": TrialState.COMPLETE, "failed": TrialState.FAIL}
# User attributes of a trial: where it is trained, its run, how it ended and why, at which epochs
# it was taken, and which place in the sweep it tries anew.
_PLACE, RUN, OUTCOME, ERROR, _TAKEN = "place", "run", "outcome", "error", "taken_at_epochs"
_AGAIN, _SURPLUS = "again", "surplus"
# A process that is killed between making a trial and signing it leaves it to others after this.
_UNSIGNED_S = 60.0


@dataclasses.dataclass(slots=True)
class Claim:
    """A trial that this process trains, and nobody else while the claim is held."""

    index: int
    """Its place in the sweep, from 0."""
    settings: dict[str, Any]
    """Values of the preset's dotted keys."""
    run: str | None
    """The id of its run, where it has one."""
    trial: optuna.Trial
    lock: FileLock


def run_of(trial: FrozenTrial | optuna.Trial) -> str | None:
    """Return the id of a trial's run; None without one.

    What else a storage names is no folder of ours: files would be looked for, and removed, there.
    """
    run = trial.user_attrs.get(RUN)
    return run if isinstance(run, str) and is_run_id(run) else None


class Study:
    """A sweep's study. One object serves one thread; any number of processes may have one."""

    def __init__(self, folder: SweepFolder) -> None:
        """Raise UserError where the storage can't be had, or holds another sweep's trials."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._folder, self.sweep = folder, folder.sweep
        storage = open_storage(self.sweep.search.storage, folder.path)
        pruner = _pruner(folder)
        try:
            try:  # nothing is written where it is there already: many only look
                self._study = optuna.load_study(
                    study_name=self.sweep.name, storage=storage, pruner=pruner
                )
            except KeyError:
                self._study = optuna.create_study(
                    storage=storage,
                    study_name=self.sweep.name,
                    direction="maximize" if self.sweep.search.maximizes else "minimize",
                    pruner=pruner,
                    load_if_exists=True,
                )
        except Exception as error:  # whatever a database's driver raises
            raise UserError(f"study {self.sweep.name!r}: {first_line(error)}") from error

    @property
    def optuna(self) -> optuna.Study:
        """The study itself, for what Optuna reckons from it."""
        return self._study

    def trials(self) -> dict[int, FrozenTrial]:
        """Return the trials by their place in the sweep; of those tried again, the last try."""
        return dict(self._placed())  # the later one of a place replaces the earlier

    def claim(self) -> Claim | None:
        """Return a trial that nobody trains: begun and left, or a new one; None if there is none.

        Raises UserError where the folder or the storage can't be written.
        """
        try:
            with self._folder.changing():
                return self._abandoned() or self._new()
        except OSError as error:
            raise UserError(f"sweep {self.sweep.name}: {error.strerror or error}") from error

    def sign(self, claim: Claim, run: str) -> None:
        """Note which run trains the trial."""
        claim.run = run
        claim.trial.set_user_attr(RUN, run)

    def taken_in_vain(self, claim: Claim, epoch: int, times: int) -> bool:
        """Note that the trial goes on from this epoch; return whether it did so ``times`` before.

        One whose process dies again and again without an epoch would be taken for ever.
        """
        before = claim.trial.user_attrs.get(_TAKEN, [])
        claim.trial.set_user_attr(_TAKEN, [*before, epoch])
        return bool(before[-times:] == [epoch] * times)

    def report(self, claim: Claim, epoch: int, value: float) -> bool:
        """Note the metric at an epoch; return whether the trial is not worth going on."""
        if epoch not in self._study._storage.get_trial(claim.trial._trial_id).intermediate_values:
            claim.trial.report(value, epoch)  # else the epoch is trained again after a crash
        return claim.trial.should_prune()

    def settle(
        self, claim: Claim, outcome: Outcome, value: float | None = None, error: str | None = None
    ) -> None:
        """End the trial. Its value counts where it has finished; one that diverged is a bad one."""
        claim.trial.set_user_attr(OUTCOME, outcome)
        if error is not None:
            claim.trial.set_user_attr(ERROR, error)
        state = _STATES.get(outcome, TrialState.PRUNED)
        self._study.tell(claim.trial, value if outcome == "finished" else None, state=state)
        claim.lock.release()

    def leave(self, claim: Claim) -> None:
        """Let go of a trial that is not at its end: the next one who looks for work goes on."""
        claim.lock.release()

    def try_failed_again(self) -> int:
        """Let the trials that failed be taken once more; return how many they are."""
        with self._folder.changing():
            failed = [
                (index, trial)
                for index, trial in self.trials().items()
                if trial.state == TrialState.FAIL
            ]
            for index, trial in failed:
                attributes = {_AGAIN: index, RUN: run_of(trial)}
                self._study.enqueue_trial(trial.params, user_attrs=attributes)
        return len(failed)

    def _placed(self) -> list[tuple[int, FrozenTrial]]:
        """Return all trials that count with their places: in the order they were made."""
        placed, again = [], 0
        for trial in self._study.get_trials(deepcopy=False):
            if _AGAIN in trial.user_attrs:
                placed.append((int(trial.user_attrs[_AGAIN]), trial))
                again += 1
            else:
                placed.append((trial.number - again, trial))
        return [(index, trial) for index, trial in placed if _SURPLUS not in trial.user_attrs]

    def _abandoned(self) -> Claim | None:
        for index, trial in self.trials().items():
            if trial.state != TrialState.RUNNING or not self.is_ours(trial):
                continue
            lock = self._locked(index)
            if lock is None:
                continue
            # It may have ended since it was looked at: its lock goes after its end is told.
            trial = self._study._storage.get_trial(trial._trial_id)
            run = run_of(trial)
            live = run is not None and is_live(self._folder.runs_dir / run)
            if trial.state == TrialState.RUNNING and not live:
                return self._claimed(index, trial._trial_id, lock)
            lock.release()
        return None

    def _new(self) -> Claim | None:
        trials = self.trials()
        waiting = any(trial.state == TrialState.WAITING for trial in trials.values())
        if len(trials) >= self.sweep.wanted and not waiting:
            return None
        # Its sampler is set once its place is known; nothing is drawn before.
        trial = self._study.ask()
        trial.set_user_attr(_PLACE, self._folder.place)
        index = next(i for i, placed in self._placed() if placed.number == trial.number)
        if index >= self.sweep.wanted:  # another machine has just made the last one
            trial.set_user_attr(_SURPLUS, True)
            self._study.tell(trial, state=TrialState.FAIL)
            return None
        lock = self._locked(index)
        assert lock is not None
        return self._claimed(index, trial._trial_id, lock)

    def _claimed(self, index: int, trial_id: int, lock: FileLock) -> Claim:
        self._study.sampler = sampler_for(self.sweep, index)
        trial = optuna.Trial(self._study, trial_id)
        settings = suggest(trial, self.sweep)
        return Claim(index, settings, run_of(trial), trial, lock)

    def is_ours(self, trial: FrozenTrial) -> bool:
        """Return whether a trial's run lies in this folder of runs."""
        place = trial.user_attrs.get(_PLACE)
        if place is None and trial.datetime_start is not None:
            alone = self.sweep.search.storage is None
            return alone or time.time() - trial.datetime_start.timestamp() > _UNSIGNED_S
        return bool(place == self._folder.place)

    def _locked(self, index: int) -> FileLock | None:
        """Return the right to train a trial, None while another process has it."""
        claims = self._folder.path / "claims"
        claims.mkdir(exist_ok=True)
        lock = FileLock(claims / f"{index:05d}", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return lock


def _pruner(folder: SweepFolder) -> BasePruner:
    match folder.sweep.search.pruner:
        case "none":
            return NopPruner()
        case "median":
            return MedianPruner()
        case "hyperband":
            settings = folder.base.get("train", {}) | {
                key.removeprefix("train."): value for key, value in folder.sweep.set.items()
            }
            return HyperbandPruner(min_resource=1, max_resource=settings.get("epochs", "auto"))

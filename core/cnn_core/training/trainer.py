"""The training loop: steps, epochs, validation, checkpoints, requests."""

import dataclasses
import math
import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnn_core.backbones.network import Network
from cnn_core.config import Experiment
from cnn_core.freezing import train_mode
from cnn_core.training.batches import Batches
from cnn_core.training.checkpoint import State, random_state, set_random_state
from cnn_core.training.control import Control
from cnn_core.training.device import Precision
from cnn_core.training.evaluation import AbandonedError, Metrics, evaluate
from cnn_core.training.events import (
    CheckpointName,
    ClassesValidated,
    EpochFinished,
    Event,
    LearningRateSet,
    Notice,
    Paused,
    StepsDone,
    Unpaused,
)
from cnn_core.training.figures import StepFigures
from cnn_core.training.learner import Learner
from cnn_core.training.parallel import mean_statistics
from cnn_core.training.plan import EpochPlan
from cnn_core.training.ranks import Ranks
from cnn_core.training.saver import Saver
from cnn_core.training.shares import Shares
from cnn_core.training.state import Diverged, LoopState, PartName, Positions, check_weights
from cnn_core.training.step import BatchTooLargeError, Step
from cnn_core.training.supply import Supply


class Trainer:
    """Everything that changes while a network trains."""

    def __init__(
        self,
        config: Experiment,
        network: Network,
        *,
        batches: Batches,
        positions: Positions,
        images: dict[PartName, Supply],
        device: torch.device,
        precision: Precision,
        batch_size: int,
        run_dir: Path,
        identity: dict[str, Any],
        notices: list[Notice],
        ranks: Ranks,
        smallest_share: int,
        unfrozen: Callable[[], None],
    ) -> None:
        """``images`` supply each part of the data set, whatever is frozen.

        ``identity`` is what a checkpoint says of itself: config, classes, mean, std, …
        ``notices`` may grow at any time, and are told between two steps. Each process gets
        ``smallest_share`` images of a batch at least; ``unfrozen`` is called when more train.
        """
        self.config, self.network = config, network
        self.batches, self.positions = batches, positions
        self.device, self.precision = device, precision
        self.state = LoopState(base_lr=config.optim.lr, batch_size=batch_size)
        self.learner, self._unfrozen = Learner(config, network, device, precision), unfrozen
        self._ranks = ranks
        self._notices = notices
        self._images, self._supplies = images, dict(images)
        self._saver, self._identity = Saver(run_dir), identity
        self._figures = StepFigures()
        shares = Shares(ranks, batches, config.seed, smallest_share)
        auto = config.train.batch_size == "auto"
        self._step = Step(self.learner, shares, self._figures, ranks, may_halve=auto)
        # Position of last.pt, None where a rate was set since. A state without a step is no loss.
        self._saved: tuple[int, int] | None = (1, 0)
        self._unsaved = False
        self._plan = EpochPlan(positions.train.numpy(), config, batch_size)
        self.steps_per_epoch = self._plan.steps

    @property
    def done(self) -> bool:
        """Whether the last epoch is over, by plan, early stopping or request."""
        patience = self.config.train.early_stopping
        stalled = patience is not None and self.state.epochs_without_better >= patience
        ended = self.state.finishing and self.state.step == 0
        return self.state.epoch > self.config.train.epochs or stalled or ended

    def train(self, control: Control) -> Generator[Event, None, None]:
        """Train until ``done`` or until the control asks to stop; raise Diverged.

        Whichever it is, last.pt holds the state in which training ended.
        """
        yield from self._take_finish(control)
        while not self.done and not control.stopping:
            if self.state.epoch == self.config.freeze.unfreeze_at and self.state.step == 0:
                self._saver.detach_best()
                self._unfreeze()
            try:
                yield from self._epoch(control)
            except Exception:  # however training fails, its best epoch may be in memory only
                if self._ranks.first:
                    yield from self._saver.insist(None, control)
                raise
            yield from self._take_finish(control)
        if self._saved != (self.state.epoch, self.state.step) and self._ranks.first:
            yield from self._saver.insist(self._checkpoint(), control)

    @property
    def frozen(self) -> bool:
        """Whether there are layers that do not train in the epoch at hand."""
        freeze = self.config.freeze
        return freeze.policy != "none" and self.state.epoch < (freeze.unfreeze_at or math.inf)

    def feed(self, part: PartName, supply: Supply) -> None:
        """Take this part of the data set from another supply until layers are unfrozen."""
        self._supplies[part] = supply

    def evaluate(self, part: PartName, control: Control) -> tuple[Tensor, Metrics]:
        """Return the logits (N, classes) of a part's images, on the CPU, and their metrics.

        Raises AbandonedError where the control asks to stop meanwhile.
        """
        positions: Tensor = getattr(self.positions, part)
        return evaluate(
            self.network.module,
            self._supplies[part],
            positions,
            self.batches.labels(positions).cpu(),
            self.state.batch_size,
            self.device,
            self.precision,
            self._ranks,
            control,
        )

    def _save(self, *names: CheckpointName) -> Generator[Event, None, None]:
        """Write the present state under these names; where the disk refuses, go on without."""
        if self._ranks.first:
            unchanging = self.learner.frozen_names()
            yield from self._saver.try_write(self._checkpoint(), *names, unchanging=unchanging)
        if not self._saver.refused:
            self._saved = (self.state.epoch, self.state.step)
        self._unsaved = bool(self._saver.refused)
        self._figures.restart_clock()

    def _save_epoch(self, *, best: bool, wanted: bool) -> Generator[Event, None, None]:
        """Write last.pt, and best.pt, unless so soon after the last time that it would cost."""
        self._unsaved |= wanted
        if self._unsaved and (self.done or self._saver.due):
            # Never last.pt before best.pt: it tells which epoch best.pt holds.
            yield from self._save(*(("best", "last") if best else ("last",)))
        elif best and self._ranks.first:
            self._saver.hold_best(self._checkpoint(), self.learner.frozen_names())

    def load(self, state: State) -> None:
        """Go on from a checkpoint, on the step after it, with the same random numbers."""
        self.state = LoopState(**state["progress"])
        self._saved = (self.state.epoch, self.state.step)
        unfreeze_at = self.config.freeze.unfreeze_at
        if unfreeze_at is not None and (self.state.epoch, self.state.step) > (unfreeze_at, 0):
            self._unfreeze()
        self.network.module.load_state_dict(state["model"])
        self.learner.load_state_dict(state)
        set_random_state(state["random"], self.device)

    def _checkpoint(self) -> State:
        return {
            "model": self.network.module.state_dict(),
            **self.learner.state_dict(),
            "progress": dataclasses.asdict(self.state),
            "random": random_state(self.device),
            **self._identity,
        }

    def _unfreeze(self) -> None:
        self.learner.unfreeze()
        self._unfrozen()
        self._supplies = dict(self._images)

    def _epoch(self, control: Control) -> Generator[Event, None, None]:
        """Train one epoch, or the rest of it, and validate; return early if asked to stop."""
        state = self.state
        train_mode(self.network, keep_statistics=self.config.freeze.keep_statistics)
        self._figures.restart_clock()
        groups = [] if state.finishing else self._plan.groups(state.epoch)
        while not state.finishing and state.step < len(groups):
            try:
                if (yield from self._steps(groups[state.step :], control)):
                    return
            except BatchTooLargeError:
                state.halvings += 1
                text = (
                    f"out of memory with a batch of {state.batch_size}: from now on it is worked "
                    f"on in {1 << state.halvings} parts, whose gradients add up"
                )
                yield Notice(level="warning", text=text)
        if self._figures:
            self._flush()
        yield from self._finish_epoch(control)

    def _steps(self, groups: list[Tensor], control: Control) -> Generator[Event, None, bool]:
        """Train on the groups of positions, one a step; return whether asked to stop."""
        state, supply = self.state, self._supplies["train"]
        step, steps_per_epoch = self._step, self.steps_per_epoch
        with closing(step.load(state, supply, groups)) as loaded:
            for group in groups:
                step.take(state, supply, group, loaded, steps_per_epoch=steps_per_epoch)
                control.poll()
                if (yield from self._answer(control)):
                    return True
                yield from self._take_finish(control)
                if state.finishing:
                    break
                if self._figures and control.due(self._figures.age_s):
                    yield self._flush()
        return False

    def _flush(self) -> StepsDone:
        """Read the pending figures from the device into the epoch's sums; raise Diverged."""
        lr, steps = self.learner.lr, self.steps_per_epoch
        return self._figures.read_into(self.state, lr, steps, self._ranks)

    def _settle(self) -> None:
        """Let all processes have one network, to be used or kept; raise Diverged if spoilt."""
        mean_statistics(self.network.module, self._ranks)
        check_weights(self.network.module, self.state)

    def _answer(self, control: Control) -> Generator[Event, None, bool]:
        """Do what was asked for between two steps; return whether to stop, with nothing pending."""
        while self._notices:
            yield self._notices.pop(0)
        yield from self._take_lr(control)
        # Looked at once: a signal may ask for a stop at any instant.
        stopping = control.stopping
        # Once the disk has refused one, the next is due in the middle of an epoch too.
        overdue = bool(self._saver.refused) and self._ranks.alone and self._saver.due
        checkpoint = control.take_checkpoint() or overdue
        if not (stopping or control.paused or checkpoint):
            return False
        yield self._flush()
        self._settle()
        if stopping:
            return True  # train() saves
        yield from self._save("last")
        if control.paused:
            yield Paused()
            control.wait_while_paused()
            yield from self._take_lr(control)
            yield Unpaused()
            self._figures.restart_clock()
        return control.stopping

    def _take_lr(self, control: Control) -> Generator[Event, None, None]:
        if (lr := control.take_lr()) is not None:
            self.state.base_lr = lr
            self._saved = None
            yield LearningRateSet(lr=lr)

    def _take_finish(self, control: Control) -> Generator[Event, None, None]:
        """Take no further step if asked to finish; saved, so that a later sitting knows it too."""
        if not control.finishing or self.state.finishing or self.done:
            return
        if self._figures:
            yield self._flush()
        self._settle()
        self.state.finishing = True
        # Without a step the initial weights are the last ones, and the best.
        untrained = self.state.global_step == 0
        yield from self._save(*(("best", "last") if untrained else ("last",)))

    def _finish_epoch(self, control: Control) -> Generator[Event, None, None]:
        """Validate and tell of the epoch; asked to stop meanwhile, leave it after its last step."""
        state, started = self.state, time.perf_counter()
        self._settle()
        try:
            val = self.evaluate("val", control)[1] if len(self.positions.val) else None
        except AbandonedError:
            return
        if val is not None and not math.isfinite(val.loss):
            raise Diverged(f"the validation loss became {val.loss} at epoch {state.epoch}")
        if val is not None:
            self.learner.plateau.epoch_done(val.acc)
        best = state.rank_epoch(val.acc if val else None)
        finished = EpochFinished(
            epoch=state.epoch,
            train_loss=state.loss_sum / state.seen,
            train_acc=state.correct / state.seen,
            val_loss=val.loss if val else None,
            val_acc=val.acc if val else None,
            lr=self.learner.lr,
            seconds=state.train_seconds + time.perf_counter() - started,
            images_per_s=state.seen / state.train_seconds,
            best=best,
            global_step=state.global_step,
        )
        state.begin_next_epoch()
        # The events first: a kill before the checkpoint repeats the epoch rather than losing them.
        yield finished
        if val is not None:
            yield ClassesValidated(
                epoch=finished.epoch, images=val.class_images, correct=val.class_correct
            )
        every = self.config.train.checkpoint_every
        yield from self._save_epoch(best=best, wanted=best or finished.epoch % every == 0)

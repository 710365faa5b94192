"""The training loop: steps, epochs, validation, checkpoints, requests."""

import dataclasses
import math
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnn_core.backbones.network import Network
from cnn_core.config import Experiment
from cnn_core.freezing import train_mode, unfreeze
from cnn_core.training.batches import Batches
from cnn_core.training.checkpoint import State, random_state, save_checkpoint, set_random_state
from cnn_core.training.control import Control
from cnn_core.training.device import Precision, autocast
from cnn_core.training.evaluation import (
    Metrics,
    compute_logits,
    evaluation_batch_size,
    measure,
)
from cnn_core.training.events import (
    CheckpointName,
    CheckpointSaved,
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
from cnn_core.training.loss import logits_and_loss
from cnn_core.training.optimizer import add_unfrozen, build_optimizer, set_lr
from cnn_core.training.plan import EpochPlan, chunks, derived_seed
from cnn_core.training.schedule import PlateauState, lr_factor
from cnn_core.training.state import Diverged, LoopState, PartName, Positions, check_weights
from cnn_core.training.supply import Inputs, Supply

# Seconds between progress events: each reads figures from the device, which waits for it.
_PROGRESS_INTERVAL_S = 0.5


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
    ) -> None:
        """``images`` supply each part of the data set, whatever is frozen.

        ``identity`` is what a checkpoint says of itself: config, classes, mean, std, …
        ``notices`` may grow at any time, and are told between two steps.
        """
        self.config, self.network = config, network
        self.batches, self.positions = batches, positions
        self.device, self.precision = device, precision
        self.state = LoopState(base_lr=config.optim.lr, batch_size=batch_size)
        self.optimizer = build_optimizer(config.optim, network.module.parameters())
        self.plateau = PlateauState(config.optim)
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        self._notices = notices
        self._images, self._supplies = images, dict(images)
        self._run_dir, self._identity = run_dir, identity
        self._figures = StepFigures()
        # Position of last.pt, None where a rate was set since. A state without a step is no loss.
        self._saved: tuple[int, int] | None = (1, 0)
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
                self._unfreeze()
            yield from self._epoch(control)
            yield from self._take_finish(control)
        if self._saved != (self.state.epoch, self.state.step):
            yield from self.save("last")

    @property
    def frozen(self) -> bool:
        """Whether there are layers that do not train in the epoch at hand."""
        freeze = self.config.freeze
        return freeze.policy != "none" and self.state.epoch < (freeze.unfreeze_at or math.inf)

    def feed(self, part: PartName, supply: Supply) -> None:
        """Take this part of the data set from another supply until layers are unfrozen."""
        self._supplies[part] = supply

    def evaluate(self, part: PartName) -> tuple[Tensor, Metrics]:
        """Return the logits (N, classes) of a part's images, on the CPU, and their metrics."""
        positions: Tensor = getattr(self.positions, part)
        logits = compute_logits(
            self.network.module,
            self._supplies[part],
            positions,
            batch_size=evaluation_batch_size(self.state.batch_size, self.device),
            device=self.device,
            precision=self.precision,
        )
        return logits, measure(logits, self.batches.labels(positions).cpu())

    def save(self, *names: CheckpointName) -> Generator[Event, None, None]:
        """Write the present state under these names."""
        save_checkpoint(self._run_dir, self._checkpoint(), *names)
        for name in names:
            yield CheckpointSaved(name=name, epoch=self.state.epoch, step=self.state.step)
        if "last" in names:
            self._saved = (self.state.epoch, self.state.step)
        self._figures.restart_clock()

    def load(self, state: State) -> None:
        """Go on from a checkpoint, on the step after it, with the same random numbers."""
        self.state = LoopState(**state["progress"])
        self._saved = (self.state.epoch, self.state.step)
        unfreeze_at = self.config.freeze.unfreeze_at
        if unfreeze_at is not None and (self.state.epoch, self.state.step) > (unfreeze_at, 0):
            self._unfreeze()
        self.network.module.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.plateau.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        set_random_state(state["random"], self.device)

    def _checkpoint(self) -> State:
        return {
            "model": self.network.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.plateau.state_dict(),
            "scaler": self.scaler.state_dict(),
            "progress": dataclasses.asdict(self.state),
            "random": random_state(self.device),
            **self._identity,
        }

    def _unfreeze(self) -> None:
        add_unfrozen(self.optimizer, unfreeze(self.network), self.config.freeze.lr_scale)
        self._supplies = dict(self._images)

    def _epoch(self, control: Control) -> Generator[Event, None, None]:
        """Train one epoch, or the rest of it, and validate; return early if asked to stop."""
        state = self.state
        train_mode(self.network, keep_statistics=self.config.freeze.keep_statistics)
        self._figures.restart_clock()
        groups = [] if state.finishing else self._plan.groups(state.epoch)[state.step :]
        parts = [part for group in groups for part in chunks(group, state.batch_size)]
        with closing(self._supplies["train"].load(parts, state.epoch)) as loaded:
            for group in groups:
                self._step(group, loaded)
                control.poll()
                if (yield from self._answer(control)):
                    return
                yield from self._take_finish(control)
                if state.finishing:
                    break
                if self._figures and self._figures.age_s >= _PROGRESS_INTERVAL_S:
                    yield self._flush()
        if self._figures:
            self._flush()
        yield from self._finish_epoch()

    def _step(self, group: Tensor, loaded: Iterator[Inputs]) -> None:
        """One optimizer step over ``group`` (N,) positions, in batches whose gradients add up."""
        state, train, supply = self.state, self.config.train, self._supplies["train"]
        generator = torch.Generator().manual_seed(
            derived_seed(self.config.seed, state.epoch, state.step)
        )
        self.optimizer.zero_grad(set_to_none=True)
        for part in chunks(group, state.batch_size):
            labels = self.batches.labels(part)
            inputs, targets = supply.changed(next(loaded), labels, generator)
            with autocast(self.device, self.precision):
                output = supply.output(inputs)
            logits, loss = logits_and_loss(
                self.network, output, targets, label_smoothing=train.label_smoothing
            )
            share = loss if len(part) == len(group) else loss * (len(part) / len(group))
            self.scaler.scale(share).backward()  # type: ignore[no-untyped-call]
            self._figures.add(state.step + 1, loss.detach(), logits.detach(), targets)
        if self.config.optim.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(
                self.network.module.parameters(), self.config.optim.clip_norm
            )
        set_lr(self.optimizer, self._lr())
        self.scaler.step(self.optimizer)
        self.scaler.update()
        state.step += 1
        state.global_step += 1

    def _lr(self) -> float:
        factor = lr_factor(
            self.config.optim,
            step=self.state.global_step,
            steps_per_epoch=self.steps_per_epoch,
            epochs=self.config.train.epochs,
        )
        return self.state.base_lr * factor * self.plateau.factor

    def _flush(self) -> StepsDone:
        """Read the pending figures from the device into the epoch's sums; raise Diverged."""
        loss, images_per_s = self._figures.read_into(self.state)
        return StepsDone(
            epoch=self.state.epoch,
            step=self.state.step,
            steps_per_epoch=self.steps_per_epoch,
            global_step=self.state.global_step,
            loss=loss,
            lr=self.optimizer.param_groups[0]["lr"],
            images_per_s=images_per_s,
        )

    def _answer(self, control: Control) -> Generator[Event, None, bool]:
        """Do what was asked for between two steps; return whether to stop, with nothing pending."""
        while self._notices:
            yield self._notices.pop(0)
        yield from self._take_lr(control)
        # Looked at once: a signal may ask for a stop at any instant.
        stopping, checkpoint = control.stopping, control.take_checkpoint()
        if not (stopping or control.paused or checkpoint):
            return False
        yield self._flush()
        check_weights(self.network.module, self.state)
        if stopping:
            return True  # train() saves
        yield from self.save("last")
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
        check_weights(self.network.module, self.state)
        self.state.finishing = True
        # Without a step the initial weights are the last ones, and the best.
        untrained = self.state.global_step == 0
        yield from self.save(*(("best", "last") if untrained else ("last",)))

    def _finish_epoch(self) -> Generator[Event, None, None]:
        state, started = self.state, time.perf_counter()
        check_weights(self.network.module, self.state)
        val = self.evaluate("val")[1] if len(self.positions.val) else None
        if val is not None and not math.isfinite(val.loss):
            raise Diverged(f"the validation loss became {val.loss} at epoch {state.epoch}")
        if val is not None:
            self.plateau.epoch_done(val.acc)
        best = state.rank_epoch(val.acc if val else None)
        finished = EpochFinished(
            epoch=state.epoch,
            train_loss=state.loss_sum / state.seen,
            train_acc=state.correct / state.seen,
            val_loss=val.loss if val else None,
            val_acc=val.acc if val else None,
            lr=self.optimizer.param_groups[0]["lr"],
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
        # Never last.pt before best.pt: it tells which epoch best.pt holds.
        if best:
            yield from self.save("best", "last")
        elif self.done or finished.epoch % self.config.train.checkpoint_every == 0:
            yield from self.save("last")
